import { execFile } from "node:child_process";
import { QemuError } from "./errors.ts";
import { getProgram } from "./programs.ts";

/**
 * Make a qcow2 image whose unwritten parts are read from a raw image, so that the latter can be shared and read-only.
 *
 * @throws {QemuError} `qemu.missing` without `qemu-img`, `qemu.overlay-failed` with its words when it fails.
 */
export async function createOverlay(options: { readonly backing: string; readonly file: string }): Promise<void> {
  const program = getProgram("qemu-img");
  const args = ["create", "-q", "-f", "qcow2", "-F", "raw", "-b", options.backing, options.file];
  await new Promise<void>((resolve, reject) => {
    execFile(program, args, (error, _stdout, stderr) => {
      if (error === null) return resolve();
      reject(new QemuError("qemu.overlay-failed", `Cannot make the overlay "${options.file}": ${stderr.trim()}`));
    });
  });
}

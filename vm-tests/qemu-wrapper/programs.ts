import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { QemuError } from "./errors.ts";

/** Which package brings a program, by its name on Debian and its relatives. */
const DEBIAN_PACKAGES: Readonly<Record<string, string>> = {
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-system-aarch64": "qemu-system-arm",
};

/** Find an executable on a search path (default: the process's own); `undefined` when there is none. */
export function findProgram(name: string, searchPath: string = process.env["PATH"] ?? ""): string | undefined {
  for (const folder of searchPath.split(delimiter)) {
    if (folder === "") continue;
    const file = join(folder, name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {
      // Not here: the next folder may have it.
    }
  }
  return undefined;
}

/**
 * The path of a program that has to be there.
 *
 * @throws {QemuError} `qemu.missing` with what to install.
 */
export function getProgram(name: string, searchPath?: string): string {
  const found = findProgram(name, searchPath);
  if (found !== undefined) return found;
  const debian = DEBIAN_PACKAGES[name] ?? name;
  throw new QemuError("qemu.missing", `Cannot run "${name}": no such program on the search path`, {
    hint: `Install it, on Debian and Ubuntu with: apt-get install ${debian}`,
  });
}

import { closeSync, createReadStream, ftruncateSync, openSync, writeSync } from "node:fs";
import { chmod, lstat, mkdir, readdir, readlink, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { CodedError } from "../../core/base/index.ts";
import type { GuestContext } from "./guest-context.ts";

/** Read this much of a file of the host at once. */
const PIECE_BYTES = 1 << 20;

/** Copy a file or a folder of the host into the guest, with modes and links. */
export async function copyTo(context: GuestContext, hostPath: string, guestPath: string): Promise<void> {
  const info = await lstat(hostPath).catch((cause: unknown) => {
    throw new CodedError("machine.no-file", `Cannot copy "${hostPath}" to "${guestPath}": it is not there`, {
      hint: "A test that is a build has the files its story imports, and no others: give machines files in their configuration, or use writeFile.",
      cause,
    });
  });
  if (info.isSymbolicLink()) {
    await context.succeed(["ln", "-sfn", "--", await readlink(hostPath), guestPath]);
  } else if (info.isDirectory()) {
    await context.succeed(["mkdir", "-p", "-m", (info.mode & 0o777).toString(8), "--", guestPath]);
    for (const name of (await readdir(hostPath)).sort())
      await copyTo(context, join(hostPath, name), join(guestPath, name));
  } else {
    const data = createReadStream(hostPath, { highWaterMark: PIECE_BYTES });
    await context.limited(context.boot().agent.put(guestPath, data, info.mode & 0o777), `copy to "${guestPath}"`);
  }
}

/** Copy a file or a folder of the guest to the host. @returns where it lies. */
export async function copyFrom(context: GuestContext, guestPath: string, hostPath: string): Promise<string> {
  await mkdir(dirname(hostPath), { recursive: true });
  // One line for each thing, its name last: a name with a newline in it would need another separator, so that is NUL.
  const list = await context.exec(["find", guestPath, "-printf", "%y %m %P\\0%l\\0"]);
  const found = list.status === 0 ? list.stdout.split("\0") : ["f 644 ", ""];
  for (let index = 0; index + 1 < found.length; index += 2) {
    const [, type, mode = "", name = ""] = /^(.) (\d+) ([\s\S]*)$/.exec(found[index] ?? "") ?? [];
    const to = join(hostPath, name);
    if (type === "d") await mkdir(to, { recursive: true });
    else if (type === "l" && name !== "") await symlink(found[index + 1] ?? "", to);
    else if (type === "f" || name === "") await copyFileFrom(context, join(guestPath, name), to);
    // Owners of the host must be able to look at it and remove it.
    if (type === "d") await chmod(to, Number.parseInt(mode, 8) | 0o700);
  }
  return hostPath;
}

/** One file, with its mode and its holes. */
async function copyFileFrom(context: GuestContext, guestPath: string, to: string): Promise<void> {
  const file = openSync(to, "w", 0o600);
  let size = 0;
  try {
    const reading = context.boot().agent.getTo(guestPath, {
      data: (bytes) => {
        for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, size + at);
        size += bytes.length;
      },
      hole: (sizeBytes) => {
        size += sizeBytes;
      },
    });
    const mode = await context.limited(reading, `copy from "${guestPath}"`);
    ftruncateSync(file, size);
    await chmod(to, mode | 0o600);
  } finally {
    closeSync(file);
  }
}

/** The name a copy gets when the story gives none. */
export function nameOf(guestPath: string): string {
  return basename(guestPath) || "root";
}

import { accessSync, constants } from "node:fs";

/** Absolute path of a program found by `PATH`; `undefined` when there is none. */
export function findProgram(name: string, path: string = process.env["PATH"] ?? "/usr/bin:/bin"): string | undefined {
  for (const directory of path.split(":")) {
    if (!directory.startsWith("/")) continue;
    const candidate = `${directory}/${name}`;
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here; the next directory may have it.
    }
  }
  return undefined;
}

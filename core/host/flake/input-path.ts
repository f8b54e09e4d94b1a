import { existsSync, readdirSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { CodedError, didYouMean } from "../../base/index.ts";

/** Where relative paths of a declaration begin, and what they must not leave. */
export interface PathBase {
  /** Folder of the declaring flake on the host. */
  readonly folder: string;
  /** A dependency may only name folders of its own source; `undefined` for the flake itself. */
  readonly within?: string | undefined;
  /** Its name, for messages. */
  readonly name: string;
}

/**
 * The folder or file that a declaration means.
 *
 * @throws {CodedError} `flake.path-missing`, `flake.path-outside`
 */
export function pathOf(path: string, { folder, within, name }: PathBase): string {
  const absolute = resolve(folder, path);
  if (within !== undefined && (path.startsWith("/") || !inside(absolute, within))) throw outside(path, name);
  if (!existsSync(absolute)) {
    throw new CodedError(
      "flake.path-missing",
      `Cannot find the folder "${path}" that ${name} takes as an input: there is no "${absolute}"`,
      { hint: nearFolder(absolute) },
    );
  }
  const real = realpathSync(absolute);
  if (within !== undefined && !inside(real, realpathSync(within))) throw outside(path, name);
  return real;
}

function nearFolder(absolute: string): string {
  const parent = dirname(absolute);
  const names = existsSync(parent) && statSync(parent).isDirectory() ? readdirSync(parent) : [];
  return (
    didYouMean(basename(absolute), names) ??
    "Make the folder, or correct the path, which counts from the folder of the flake."
  );
}

function inside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function outside(path: string, name: string): CodedError {
  return new CodedError(
    "flake.path-outside",
    `Cannot take the folder "${path}" as an input of ${name}: it lies outside of its source`,
    {
      hint: "A flake that others take in may only name folders of its own source; give it the folder as an input: inputs.NAME.follows.",
    },
  );
}

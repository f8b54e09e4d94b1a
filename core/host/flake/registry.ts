import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname } from "node:path";
import { formatRegistry, parseRegistry, type Registry } from "../../flake/index.ts";
import { writeFileAtomic } from "../files/write.ts";
import { lockFile } from "../local-store/index.ts";

/** Where the registries of this machine lie. */
export interface RegistryPlaces {
  /** The user's own, which `floe registry` changes. */
  readonly user: string;
  readonly system: string;
}

export function defaultRegistryPlaces(): RegistryPlaces {
  const config = process.env["XDG_CONFIG_HOME"] || `${homedir()}/.config`;
  return { user: `${config}/floe/registry.json`, system: "/etc/floe/registry.json" };
}

/**
 * Names of one file; none when there is no file.
 *
 * @throws {CodedError} `registry.malformed`
 */
export function readRegistry(path: string): Registry {
  return existsSync(path) ? parseRegistry(readFileSync(path, "utf8"), path) : {};
}

/**
 * Change a registry file, while nobody else does. It is written whole.
 *
 * @throws {CodedError} `registry.malformed`, and those of `change`
 */
export async function changeRegistry(path: string, change: (before: Registry) => Registry): Promise<void> {
  mkdirSync(dirname(path), { recursive: true });
  const lock = openSync(`${path}.lock`, "a");
  try {
    await lockFile(lock, "exclusive", { wait: true });
    writeFileAtomic(path, formatRegistry(change(readRegistry(path))), { sync: true });
  } finally {
    closeSync(lock);
  }
}

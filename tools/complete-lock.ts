/**
 * Complete package-lock.json with the optional packages of other platforms.
 *
 * A registry mirror need not have what no machine behind it installs. npm then leaves those packages out of the lock, and
 * `npm ci` refuses a lock without them. They get an entry with the platform their name says, so that no machine of another
 * platform asks for them.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** The packages that are named as optional and have no entry, each with the entry it should have. */
export function missingOptional(packages: Readonly<Record<string, LockedPackage>>): Record<string, LockedPackage> {
  const missing: Record<string, LockedPackage> = {};
  for (const { dev, optionalDependencies } of Object.values(packages)) {
    for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
      const platform = /[-/](?<os>[a-z0-9]+)-(?<cpu>[a-z0-9]+)(?<musl>-musl)?$/.exec(name)?.groups;
      if (platform?.["os"] === undefined || platform["cpu"] === undefined) continue;
      if (packages[`node_modules/${name}`] !== undefined) continue;
      missing[`node_modules/${name}`] = {
        version,
        cpu: [platform["cpu"]],
        ...(dev === true ? { dev } : {}),
        ...(platform["os"] === "linux" ? { libc: [platform["musl"] === undefined ? "glibc" : "musl"] } : {}),
        optional: true,
        os: [platform["os"]],
      };
    }
  }
  return missing;
}

if (import.meta.main) {
  const path = join(import.meta.dirname, "../package-lock.json");
  const lock = JSON.parse(readFileSync(path, "utf8")) as { packages: Record<string, LockedPackage> };
  const all = Object.entries({ ...lock.packages, ...missingOptional(lock.packages) });
  const packages = Object.fromEntries(all.sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify({ ...lock, packages }, undefined, 2)}\n`);
}

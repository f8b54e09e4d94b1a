import { readFileSync, readdirSync, realpathSync } from "node:fs";
import { join } from "node:path";
import { type FoundUnit, MASKED_UNIT, type UnitSource, parseFstab, parseUnit } from "../../system/switch/index.ts";

/** Where the units of one system lie. */
export interface UnitFolders {
  /** The system's own unit files. */
  readonly own: string;
  /** Those of the manager's package: they count where the system has none. Drop-ins count from both. */
  readonly package: string;
  readonly fstab: string;
}

/** Read a system's units from the file system, each when it is asked for. */
export function readUnits(places: UnitFolders): UnitSource {
  const known = new Map<string, FoundUnit | undefined>();
  return {
    find: (name) => {
      if (!known.has(name)) known.set(name, readUnit(places, name));
      return known.get(name);
    },
    fstab: parseFstab(tryRead(places.fstab) ?? ""),
  };
}

function readUnit(places: UnitFolders, name: string): FoundUnit | undefined {
  const folders = [places.own, places.package];
  // An instance such as getty@tty1.service is made from getty@.service, unless it has a file of its own.
  const template = name.replace(/@[^.]+\./, "@.");
  const names = template === name ? [name] : [name, template];
  for (const candidate of names) {
    for (const folder of folders) {
      const path = join(folder, candidate);
      const own = folder === places.own;
      if (isMask(path)) return { ...MASKED_UNIT, own };
      const text = tryRead(path);
      if (text !== undefined) return { ...parseUnit(text, ...dropIns(folders, names)), own };
    }
  }
  return undefined;
}

function dropIns(folders: readonly string[], names: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const folder of [...folders].reverse()) {
    for (const name of [...names].reverse()) {
      for (const file of tryList(join(folder, `${name}.d`))) {
        if (file.endsWith(".conf")) byName.set(file, join(folder, `${name}.d`, file));
      }
    }
  }
  return [...byName.keys()].sort().flatMap((file) => tryRead(byName.get(file) as string) ?? []);
}

function isMask(path: string): boolean {
  try {
    return realpathSync(path) === "/dev/null";
  } catch {
    return false;
  }
}

function tryRead(path: string): string | undefined {
  return unlessAbsent(() => readFileSync(path, "utf8"));
}

function tryList(path: string): string[] {
  return unlessAbsent(() => readdirSync(path)) ?? [];
}

/** The result, or `undefined` when the file is not there. */
export function unlessAbsent<Result>(read: () => Result): Result | undefined {
  try {
    return read();
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

import { compareText, sortedText } from "../base/index.ts";
import { type StorePath, storePathName } from "../store/index.ts";
import { parseNameAndVersion } from "./version.ts";

/** Changes of size below it are not worth a word. */
const LARGE_BYTES = 8 * 1024;

/** One object of a closure. */
export interface ClosureMember {
  readonly path: StorePath;
  readonly sizeBytes: number;
}

/** What changed among the objects of one name. */
export interface ClosureDifference {
  readonly name: string;
  /** Versions that are gone, in byte order; the empty text is the version of what has none. */
  readonly removed: readonly string[];
  readonly added: readonly string[];
  readonly sizeChangeBytes: number;
  /** Whether the change of size is 8 KiB or more. */
  readonly isLarge: boolean;
}

/**
 * Compare two closures by name: which versions went and came, and how much their size changed. Names without any such change are
 * left out; outputs of one package (`curl`, `curl-dev`) count together.
 *
 * Source: Nix 2.8, `nix store diff-closures`.
 */
export function diffClosures(before: Iterable<ClosureMember>, after: Iterable<ClosureMember>): ClosureDifference[] {
  const [old, current] = [groupByName(before), groupByName(after)];
  const names = sortedText(new Set([...old.keys(), ...current.keys()]));
  return names.flatMap((name) => {
    const { versions: had, sizeBytes: oldBytes } = old.get(name) ?? NONE;
    const { versions: has, sizeBytes } = current.get(name) ?? NONE;
    const removed = [...had].filter((version) => !has.has(version)).sort(compareText);
    const added = [...has].filter((version) => !had.has(version)).sort(compareText);
    const sizeChangeBytes = sizeBytes - oldBytes;
    const isLarge = Math.abs(sizeChangeBytes) >= LARGE_BYTES;
    return removed.length + added.length > 0 || isLarge ? [{ name, removed, added, sizeChangeBytes, isLarge }] : [];
  });
}

interface Group {
  readonly versions: Set<string>;
  sizeBytes: number;
}

const NONE: Group = { versions: new Set(), sizeBytes: 0 };

function groupByName(members: Iterable<ClosureMember>): Map<string, Group> {
  const groups = new Map<string, Group>();
  for (const { path, sizeBytes } of members) {
    const { name, version } = parseNameAndVersion(withoutOutput(storePathName(path)));
    const group = groups.get(name) ?? { versions: new Set(), sizeBytes: 0 };
    group.versions.add(version);
    group.sizeBytes += sizeBytes;
    groups.set(name, group);
  }
  return groups;
}

/** `curl-8.9-dev` → `curl-8.9`. */
function withoutOutput(name: string): string {
  return /^(.*)-(?:[a-z]+|lib32|lib64)$/.exec(name)?.[1] ?? name;
}

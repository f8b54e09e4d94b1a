import { compareText } from "../base/index.ts";

/** A package's name and version, as people write them into one text. */
export interface NameAndVersion {
  readonly name: string;
  /** Empty when there is none. */
  readonly version: string;
}

/**
 * Split `hello-2.12` into name and version: at the first dash that something follows which is no ASCII letter.
 *
 * Source: Nix, `builtins.parseDrvName`.
 */
export function parseNameAndVersion(text: string): NameAndVersion {
  const at = text.search(/-[^A-Za-z]/u);
  return at < 0 ? { name: text, version: "" } : { name: text.slice(0, at), version: text.slice(at + 1) };
}

/**
 * The parts of a version that are compared: runs of digits, and runs of what is neither digit nor `.` nor `-`.
 *
 * Source: Nix, `builtins.splitVersion`.
 */
export function splitVersion(version: string): string[] {
  return version.match(/[0-9]+|[^0-9.-]+/g) ?? [];
}

/** Numbers beyond it count as text. */
const LARGEST_NUMBER = 2 ** 31 - 1;

/**
 * Order of two versions: negative, zero or positive.
 *
 * Part by part, a version that has ended counting as an empty part. Numbers by value; `pre` before everything else; letters
 * before numbers (`2.3a` < `2.3.1`), and the end before numbers.
 *
 * Source: Nix, `builtins.compareVersions`.
 */
export function compareVersions(a: string, b: string): number {
  const left = splitVersion(a);
  const right = splitVersion(b);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [l, r] = [left[i] ?? "", right[i] ?? ""];
    if (isLess(l, r)) return -1;
    if (isLess(r, l)) return 1;
  }
  return 0;
}

function isLess(a: string, b: string): boolean {
  const [left, right] = [numberOf(a), numberOf(b)];
  if (left !== undefined && right !== undefined) return left < right;
  if (a === "" && right !== undefined) return true;
  if (a === "pre" && b !== "pre") return true;
  if (b === "pre") return false;
  if (right !== undefined) return true;
  if (left !== undefined) return false;
  return compareText(a, b) < 0;
}

function numberOf(part: string): number | undefined {
  if (!/^[0-9]/.test(part)) return undefined;
  const value = Number(part);
  return value <= LARGEST_NUMBER ? value : undefined;
}

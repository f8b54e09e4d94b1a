import { concatBytes, fromUtf8, hashBytes, sortedText, toBase32, utf8 } from "../../core/base/index.ts";
import { dumpNar, type NarNode, type PathInfo, type StorePath, storePathFromBaseName } from "../../core/store/index.ts";
import type { Random } from "./random.ts";

const NAMES = ["a", "b", "bin", "foo", "foo-bar", "foo.txt", "é", "日", "Makefile", ".hidden", "\udc80", "x y"];
const DIGESTS = Array.from({ length: 50 }, (_, i) => toBase32(hashBytes("sha1", String(i)).digest));
const STORE_NAMES = ["hello-2.12", "x", "a.drv", "lib", "z_-+?=."];

export function sampleTree(random: Random, depth = 3): NarNode {
  const kind = random.below(depth > 0 ? 4 : 2);
  if (kind === 0) return { type: "symlink", target: random.pick(["x", "../a", "/nix/store", ...NAMES]) };
  if (kind === 1) return { type: "regular", executable: random.chance(3), contents: random.bytes(random.size(40)) };
  const entries = new Map<string, NarNode>();
  for (let i = random.size(4); i > 0; i--) entries.set(random.pick(NAMES), sampleTree(random, depth - 1));
  return { type: "directory", entries };
}

export function sampleNar(random: Random): Uint8Array {
  return concatBytes(dumpNar(sampleTree(random)));
}

export function sampleText(random: Random): string {
  return random.chance(3)
    ? fromUtf8(random.bytes(random.size(12)))
    : random.pick(["", "x", "a b", "é\n", '"\\', ...NAMES]);
}

export function sampleStorePath(random: Random, name = random.pick(STORE_NAMES)): StorePath {
  return storePathFromBaseName(`${random.pick(DIGESTS)}-${name}`);
}

export function sampleStorePaths(random: Random): StorePath[] {
  return sortedText(new Set(Array.from({ length: random.size(4) }, () => sampleStorePath(random)))) as StorePath[];
}

export function sampleInfo(random: Random): PathInfo {
  const digest = random.bytes(32);
  return {
    path: sampleStorePath(random),
    narHash: { algorithm: "sha256", digest },
    narSize: 1 + random.below(2 ** 31),
    references: sampleStorePaths(random),
    signatures: random.chance(2) ? [] : ["key-1:AAAA", `cache.example.org-1:${"A".repeat(86)}==`],
    ...(random.chance(2) ? {} : { deriver: sampleStorePath(random, "x.drv") }),
    ...(random.chance(3) ? { ca: `fixed:r:sha256:${toBase32(digest)}` } : {}),
    ...(random.chance(2) ? {} : { registrationTime: random.below(2 ** 31) }),
  };
}

export const words = (...texts: string[]): Uint8Array[] => texts.map(utf8);

/** What JSON is made of, and where readers of it stumble. */
export const JSON_WORDS = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "null",
  "true",
  "-1",
  "1e400",
  "9007199254740993",
  '"__proto__"',
  "\\ud800",
];

import { CodedError, formatHash, fromUtf8, hashBytes, utf8 } from "../../../core/base/index.ts";
import {
  formatLock,
  formatNixLock,
  type LockFile,
  lockNixInputs,
  type NixInputHost,
  type NixLockEdge,
  type NixReference,
  parseNixLock,
  parseNixReference,
  readNixInputs,
} from "../../../core/flake/index.ts";
import { parseLock } from "../../../core/host/flake/index.ts";
import type { Random } from "../random.ts";
import { JSON_WORDS, words } from "../samples.ts";
import { expectSame, type Target } from "../target.ts";

const NAR_HASH = formatHash(hashBytes("sha256", "x"), "sri");
const REV = "9a6656c90bd5482a90a29b9fa5ff5180bc0dbc0e";

/** Our own `lock.json`: read and written again. */
export const lockTarget: Target = {
  sample: (random) => utf8(formatLock(sampleLock(random))),
  words: words(...JSON_WORDS, '"nodes"', '"root"', '"version"', '"locked"', '"inputs"', '"constructor"'),
  check(input) {
    const text = formatLock(parseLock(fromUtf8(input), "lock.json"));
    expectSame(formatLock(parseLock(text, "lock.json")), text, "a lock written, read and written");
  },
};

function sampleLock(random: Random): LockFile {
  const names = ["a", "b", "a/b", "10", "9"].slice(0, random.below(6));
  const git = { type: "git", url: "https://example.org/r", rev: REV, ref: "refs/heads/main" } as const;
  const nodes = names.map((name) => {
    const pins = { narHash: NAR_HASH, lastModified: random.below(2 ** 31) };
    const locked = random.chance(2) ? { ...git, ...pins } : { type: "path" as const, path: "./x", ...pins };
    return [name, { original: "path:./x", locked, ...(random.chance(3) ? { flake: false as const } : {}) }] as const;
  });
  const inputs = Object.fromEntries(names.map((name) => [name, random.chance(4) ? ["a", "b"] : name]));
  return { version: 1, root: "root", nodes: { root: { inputs }, ...Object.fromEntries(nodes) } };
}

/** The `flake.lock` of Nix: read, locked anew and written again. */
export const nixLockTarget: Target = {
  sample: (random) => utf8(formatNixLock({ inputs: sampleNixInputs(random, 3) })),
  words: words(
    ...JSON_WORDS,
    '"nodes"',
    '"root"',
    '"version":5',
    '"locked"',
    '"original"',
    '"inputs"',
    '"narHash"',
    '"rev"',
  ),
  check(input) {
    const lock = parseNixLock(fromUtf8(input));
    const text = formatNixLock(lock);
    expectSame(formatNixLock(parseNixLock(text)), text, "a lock written, read and written");
    const declared = [...lock.inputs].map(([name, edge]) => [name, declarationOf(edge)] as const);
    formatNixLock(lockNixInputs({ place: undefined, inputs: new Map(declared), lock }, NOTHING));
  },
};

const NOTHING: NixInputHost<undefined> = {
  fetch: (reference) => {
    throw new CodedError("fuzz.fetch", `Cannot fetch ${JSON.stringify(reference)}`);
  },
  readFlake: () => ({ inputs: new Map() }),
};

function declarationOf(edge: NixLockEdge) {
  const rest = { flake: true, overrides: new Map() };
  return "locked" in edge ? { ...rest, reference: edge.original } : { ...rest, follows: edge };
}

function sampleNixInputs(random: Random, depth: number): ReadonlyMap<string, NixLockEdge> {
  const inputs = new Map<string, NixLockEdge>();
  for (let i = depth === 0 ? 0 : random.size(3); i > 0; i--) {
    const name = random.pick(["a", "b", "nixpkgs", "10", "9"]);
    const original = parseNixReference(
      random.pick(["nixpkgs", "path:./x", "github:a/b", "git+https://example.org/r?ref=x"]),
    );
    const locked: NixReference = {
      ...original,
      narHash: NAR_HASH,
      lastModified: random.below(2 ** 31),
      ...(random.chance(2) ? { rev: REV } : {}),
    };
    if (random.chance(4)) inputs.set(name, random.pick([[], ["a"], ["a", "b"]]));
    else inputs.set(name, { locked, original, flake: !random.chance(4), inputs: sampleNixInputs(random, depth - 1) });
  }
  return inputs;
}

/** `@{` stands for what begins an interpolation. */
const FLAKES = [
  '{ inputs.a.url = "path:./x"; inputs.b = { url = "github:a/b/main"; inputs.a.follows = "a"; flake = false; }; outputs = { self, a, ... }@x: let y = "@{z}"; in { }; }',
  '{ description = \'\'x\n  y\'\'; # c\n inputs = { c.type = "path"; c.path = "./c"; "d e".follows = ""; }; outputs = x: with x; assert true; [ (1) { } ]; }',
  "{ nixConfig.a.b = 1; outputs = { self, n ? ({ }: 1) }: ''a ''@{b} @{''c''} '''; ''; }",
].map((text) => text.replaceAll("@{", "$\u007b"));

/** What a `flake.nix` declares. */
export const nixFlakeTarget: Target = {
  sample: (random) => utf8(random.pick(FLAKES)),
  words: words(
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    "=",
    ".",
    '"',
    "''",
    "${",
    "''${",
    "'''",
    "#",
    "/*",
    "*/",
    "let",
    "in",
    "with",
    "\\",
    "@",
    "?",
    "...",
    "inherit",
    "rec",
  ),
  check: (input) => void readNixInputs(fromUtf8(input)),
};

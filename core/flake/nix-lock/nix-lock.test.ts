import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError, hashBytes, formatHash } from "../../base/index.ts";
import {
  equalNixReferences,
  formatNixLock,
  isPinnedNixReference,
  lockNixInputs,
  type NixInputHost,
  type NixLock,
  type NixLockEdge,
  type NixLockedInput,
  nixLockData,
  type NixReference,
  parseNixLock,
  parseNixReference,
  readNixInputs,
} from "./index.ts";

const NAR_HASH = formatHash(hashBytes("sha256", "x"), "sri");
const REV = "9a6656c90bd5482a90a29b9fa5ff5180bc0dbc0e";
const failsWith = (code: string, run: () => unknown, what?: string): void =>
  assert.throws(run, (error: unknown) => error instanceof CodedError && error.code === code, what);

test("parseNixReference() reads the short forms", () => {
  // Nix 2.8: the "original" that `nix flake lock` writes for such an url
  const expected: Record<string, NixReference> = {
    nixpkgs: { type: "indirect", id: "nixpkgs" },
    "flake:nixpkgs/nixos-21.11": { type: "indirect", id: "nixpkgs", ref: "nixos-21.11" },
    [`nixpkgs/${REV}`]: { type: "indirect", id: "nixpkgs", rev: REV },
    "path:./x": { type: "path", path: "./x" },
    "github:NixOS/nixpkgs": { type: "github", owner: "NixOS", repo: "nixpkgs" },
    "github:NixOS/nixpkgs/nixos-21.11": { type: "github", owner: "NixOS", repo: "nixpkgs", ref: "nixos-21.11" },
    [`gitlab:a/b/${REV}`]: { type: "gitlab", owner: "a", repo: "b", rev: REV },
    "github:a/b?dir=c": { type: "github", owner: "a", repo: "b", dir: "c" },
    "git+https://example.org/r.git?ref=main": { type: "git", url: "https://example.org/r.git", ref: "main" },
    "git+https://example.org/r?dir=a": { type: "git", url: "https://example.org/r?dir=a", dir: "a" },
    "git+ssh://git@example.org/r?submodules=1": { type: "git", url: "ssh://git@example.org/r", submodules: true },
    "https://example.org/x.tar.gz": { type: "tarball", url: "https://example.org/x.tar.gz" },
    "tarball+https://example.org/x": { type: "tarball", url: "https://example.org/x" },
  };
  for (const [text, reference] of Object.entries(expected)) assert.equal(parseNixReference(text), reference, text);
});

test("parseNixReference() refuses what is none", () => {
  for (const text of [
    "",
    "1x",
    "a/b/c/d",
    "github:a",
    "https://example.org/x",
    "path:./x?y=1",
    "svn:x",
    "github:a/b/..",
    "path:%",
  ])
    failsWith("nix-reference.malformed", () => parseNixReference(text), text);
});

test("equalNixReferences() does not mind order, isPinnedNixReference() wants a revision or a hash", () => {
  assert.ok(equalNixReferences({ type: "path", path: "x" }, { path: "x", type: "path" }));
  assert.not.ok(equalNixReferences({ type: "path", path: "x" }, { type: "path", path: "x", rev: REV }));
  assert.ok(isPinnedNixReference({ type: "path", path: "x", narHash: NAR_HASH }));
  assert.not.ok(isPinnedNixReference({ type: "path", path: "x" }));
});

test("readNixInputs() reads what a flake.nix declares without evaluating it", () => {
  const inputs = readNixInputs(`
    # A flake.
    {
      description = "x"; /* "inputs" */
      inputs = {
        nixpkgs.url = github:NixOS/nixpkgs;
        utils = { url = "github:numtide/flake-utils"; inputs.nixpkgs.follows = "nixpkgs"; };
        "quoted name".follows = "utils/systems";
        src = { type = "path"; path = "./\\"src"; flake = false; };
        bare = { };
      };
      inputs.more.url = "path:./more";
      nixConfig.bash-prompt = "$ ";
      outputs = { self, nixpkgs, extra ? ({ a }: let b = "\${a};}"; in b), ... }@inputs:
        let x = { y = ''}; ''\${z} \${"}"} '''; ''; }; in with x; assert true; { packages = [ { } ]; };
    }
  `);
  assert.equal([...inputs.keys()], ["nixpkgs", "utils", "quoted name", "src", "bare", "more", "extra"]);
  assert.equal(inputs.get("nixpkgs")?.reference, { type: "github", owner: "NixOS", repo: "nixpkgs" });
  assert.equal(inputs.get("utils")?.overrides.get("nixpkgs")?.follows, ["nixpkgs"]);
  assert.equal(inputs.get("quoted name")?.follows, ["utils", "systems"]);
  assert.equal(inputs.get("src")?.reference, { type: "path", path: './"src' });
  assert.is(inputs.get("src")?.flake, false);
  assert.equal(inputs.get("bare")?.reference, { type: "indirect", id: "bare" });
  assert.equal(inputs.get("extra")?.reference, { type: "indirect", id: "extra" });
});

test("readNixInputs() refuses what has to be evaluated, and what Nix refuses", () => {
  const file = (inputs: string): string => `{ inputs = ${inputs}; outputs = { self }: { }; }`;
  for (const inputs of [
    "{ a.url = x; }",
    '{ a.url = "${"$"}{x}"; }',
    "rec { }",
    "{ a.url = 1; a.url = 2; }",
    "{ a = ",
    "".padEnd(200, "{a="),
  ])
    failsWith("nix-expression.malformed", () => readNixInputs(file(inputs)), inputs);
  for (const inputs of [
    "1",
    "{ a = 1; }",
    "{ a.url = 1; }",
    "{ a.follows = 1; }",
    '{ a.flake = "no"; }',
    '{ a = { url = "b"; rev = "x"; }; }',
  ])
    failsWith("nix-flake.malformed", () => readNixInputs(file(inputs)), inputs);
  failsWith("nix-flake.malformed", () => readNixInputs("{ }"));
  failsWith("nix-flake.malformed", () => readNixInputs("{ outputs = { self }: { }; other = 1; }"));
  failsWith("nix-expression.malformed", () => readNixInputs("{ outputs = { self }: ''; }"));
});

const pinned: NixReference = { type: "path", path: "./x", lastModified: 1, narHash: NAR_HASH };
const node = (rest: object = {}) => ({ locked: pinned, original: { type: "path", path: "./x" }, ...rest });
const lockText = (nodes: object, rest: object = {}) => JSON.stringify({ nodes, root: "root", version: 7, ...rest });

test("parseNixLock() refuses locks that are none", () => {
  const wrong: [code: string, text: string][] = [
    ["nix-lock.malformed", ""],
    ["nix-lock.malformed", "[]"],
    ["nix-lock.version", lockText({ root: {} }, { version: 8 })],
    ["nix-lock.version", lockText({ root: {} }, { version: undefined })],
    ["nix-lock.malformed", lockText({}, { root: 1 })],
    ["nix-lock.malformed", lockText({})],
    ["nix-lock.malformed", lockText({ root: { inputs: { a: "a" } } })],
    ["nix-lock.malformed", lockText({ root: { inputs: { a: 1 } } })],
    ["nix-lock.malformed", lockText({ root: { inputs: { a: [1] } } })],
    ["nix-lock.malformed", lockText({ root: { inputs: { a: "root" } } })],
    ["nix-lock.malformed", lockText({ root: { inputs: { a: "a" } }, a: node({ inputs: { b: "a" } }) })],
    ["nix-lock.malformed", lockText({ root: { inputs: { a: "a" } }, a: node({ original: undefined }) })],
    ["nix-lock.malformed", lockText({ root: { inputs: { a: "a" } }, a: node({ flake: "no" }) })],
    ["nix-lock.mutable", lockText({ root: { inputs: { a: "a" } }, a: node({ locked: { type: "path", path: "x" } }) })],
    ["nix-reference.malformed", lockText({ root: { inputs: { a: "a" } }, a: node({ locked: { type: "path" } }) })],
    [
      "nix-reference.malformed",
      lockText({ root: { inputs: { a: "a" } }, a: node({ locked: { ...pinned, rev: "x" } }) }),
    ],
    [
      "nix-reference.malformed",
      lockText({ root: { inputs: { a: "a" } }, a: node({ locked: { ...pinned, narHash: "x" } }) }),
    ],
  ];
  for (const [code, text] of wrong) failsWith(code, () => parseNixLock(text), text);
});

test("parseNixLock() keeps references of types it does not know, whatever their names", () => {
  for (const type of ["zzz", "constructor", "__proto__"]) {
    const locked = { type, narHash: NAR_HASH, "any-attribute": true };
    const text = lockText({ root: { inputs: { a: "a" } }, a: { locked, original: { type } } });
    assert.equal(JSON.parse(formatNixLock(parseNixLock(text))).nodes.a.locked, locked);
  }
});

test("parseNixLock() limits how deep inputs are nested", () => {
  const nodes: Record<string, unknown> = { root: { inputs: { x: "0" } } };
  for (let i = 0; i < 1000; i++) nodes[i] = node(i === 999 ? {} : { inputs: { x: String(i + 1) } });
  failsWith("nix-lock.too-large", () => parseNixLock(lockText(nodes)));
});

test("lockNixInputs() limits how much a lock grows when what is shared stands by itself", () => {
  const nodes: Record<string, unknown> = { root: { inputs: { a: "0", b: "0" } } };
  for (let i = 0; i < 30; i++) nodes[i] = node(i === 29 ? {} : { inputs: { a: String(i + 1), b: String(i + 1) } });
  const lock = parseNixLock(lockText(nodes));
  assert.is(Object.keys((nixLockData(lock) as { nodes: object }).nodes).length, 31);
  const inputs = readNixInputs('{ inputs.a.url = "path:./x"; inputs.b.url = "path:./x"; outputs = x: { }; }');
  failsWith("nix-lock.too-large", () => lockNixInputs({ place: "", inputs, lock }, NO_HOST));
});

const NO_HOST: NixInputHost<string> = {
  fetch: (reference) => {
    throw new CodedError("test.fetch", JSON.stringify(reference));
  },
  readFlake: () => ({ inputs: new Map() }),
};

/** Flakes by path. */
const hostOf = (flakes: Record<string, string>): NixInputHost<string> => ({
  fetch: (reference) => ({ locked: { ...reference, narHash: NAR_HASH }, place: String(reference["path"]) }),
  readFlake: (place) => ({ inputs: readNixInputs(flakes[place] ?? "") }),
});

test("lockNixInputs() keeps entries that fit, drops those nobody declares and fetches what is missing", () => {
  const lock = parseNixLock(lockText({ root: { inputs: { a: "a", gone: "a" } }, a: node() }));
  const inputs = readNixInputs('{ inputs.a.url = "path:./x"; outputs = x: { }; }');
  const kept = lockNixInputs({ place: "", inputs, lock }, NO_HOST);
  assert.equal([...kept.inputs.keys()], ["a"]);
  const other = readNixInputs('{ inputs.a.url = "path:./y"; outputs = x: { }; }');
  failsWith("test.fetch", () => lockNixInputs({ place: "", inputs: other, lock }, NO_HOST));
});

test("lockNixInputs() counts what a nested flake follows from that flake", () => {
  const host = hostOf({
    b: '{ inputs.c.follows = "d"; inputs.d.url = "path:d"; outputs = x: { }; }',
    d: "{ outputs = x: { }; }",
  });
  const inputs = readNixInputs('{ inputs.b.url = "path:b"; outputs = x: { }; }');
  const lock = lockNixInputs({ place: "", inputs }, host);
  assert.equal((lock.inputs.get("b") as NixLock).inputs.get("c"), ["b", "d"]);
});

test("lockNixInputs() fetches an override from the flake that says so, and keeps what it replaces on record", () => {
  // Nix 2.8: `nix flake metadata` of such a tree
  const asked: string[] = [];
  const host: NixInputHost<string> = {
    ...hostOf({ b: '{ inputs.c.url = "path:./c"; outputs = x: { }; }', "./a": "{ outputs = x: { }; }" }),
    fetch(reference, parent) {
      asked.push(`${reference["path"]} from "${parent}"`);
      return { locked: { ...reference, narHash: NAR_HASH }, place: String(reference["path"]) };
    },
  };
  const inputs = readNixInputs('{ inputs.b.url = "path:b"; inputs.b.inputs.c.url = "path:./a"; outputs = x: { }; }');
  const lock = lockNixInputs({ place: "", inputs }, host);
  assert.equal(asked, ['b from ""', './a from ""']);
  const c = (lock.inputs.get("b") as NixLock).inputs.get("c") as NixLockedInput;
  assert.is(c.original["path"], "./c");
  assert.is(c.locked["path"], "./a");
});

test("lockNixInputs() finds what follows nothing, and flakes that are inputs of themselves", () => {
  const lost = readNixInputs('{ inputs.a.follows = "b"; outputs = x: { }; }');
  failsWith("nix-lock.follows", () => lockNixInputs({ place: "", inputs: lost }, NO_HOST));
  const circle = readNixInputs('{ inputs.a.url = "path:a"; outputs = x: { }; }');
  const host = hostOf({ a: '{ inputs.b.url = "path:a"; outputs = x: { }; }' });
  failsWith("nix-lock.circular", () => lockNixInputs({ place: "", inputs: circle }, host));
});

test("a lock survives being written and read", () => {
  const name = fc.oneof(fc.constantFrom("a", "b", "10", "9", "__proto__", "é", "a_2"), fc.string({ minLength: 1 }));
  const reference: fc.Arbitrary<NixReference> = fc.record(
    { type: fc.constant("path"), path: fc.string(), narHash: fc.constant(NAR_HASH), lastModified: fc.nat() },
    { noNullPrototype: true },
  );
  const inputs = fc.letrec<{ inputs: ReadonlyMap<string, NixLockEdge> }>((tie) => ({
    inputs: fc
      .array(
        fc.tuple(
          name,
          fc.oneof(
            { maxDepth: 3 },
            fc.array(fc.string(), { maxLength: 2 }),
            fc.record({ locked: reference, original: reference, flake: fc.boolean(), inputs: tie("inputs") }),
          ),
        ),
        { maxLength: 3 },
      )
      .map((entries) => new Map(entries)),
  })).inputs;
  fc.assert(
    fc.property(inputs, (made) => {
      const text = formatNixLock({ inputs: made });
      const read = parseNixLock(text);
      assert.is(formatNixLock(read), text);
      assert.equal([...read.inputs.keys()].sort(), [...made.keys()].sort());
    }),
    { numRuns: 50 },
  );
});

test.run();

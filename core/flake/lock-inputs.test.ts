import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  EMPTY_LOCK,
  formatLock,
  type DeclaredInputs,
  type LockedSource,
  type LockFile,
  type LockNode,
} from "./lock-file.ts";
import { type FetchedInput, type InputFetcher, lockInputs } from "./lock-inputs.ts";
import { findStaleInputs } from "./stale-inputs.ts";
import { formatReference } from "./reference.ts";
import { resolveInputs } from "./resolve-inputs.ts";

const HASH = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

function source(url: string, version = 1): LockedSource {
  return { type: "git", url, rev: String(version).padStart(40, "0"), narHash: HASH, lastModified: version };
}

/** A world of sources: what each declares and locks itself; counts what is fetched. */
function world(
  sources: Readonly<Record<string, Partial<FetchedInput> & { version?: number }>>,
): InputFetcher & { fetched: string[] } {
  const fetched: string[] = [];
  return {
    fetched,
    async fetch(reference) {
      const url = formatReference(reference);
      fetched.push(url);
      const { version = 1, ...known } = sources[url] ?? {};
      return { locked: source(url, version), ownLock: [], ...known };
    },
  };
}

const lockOnce = (
  declared: DeclaredInputs,
  fetcher: InputFetcher,
  lock: LockFile = EMPTY_LOCK,
  update: "none" | "all" | string[][] = "none",
  replace: Readonly<Record<string, string>> = {},
) => lockInputs({ declared, lock, update, replace: new Map(Object.entries(replace)), fetcher });
const git = (name: string): string => `git+https://example.org/${name}`;

test("lockInputs() fills gaps and moves nothing that is locked", async () => {
  const first = await lockOnce({ a: { url: git("a") } }, world({}));
  const later = world({ [git("a")]: { version: 2 }, [git("b")]: { version: 2 } });
  const { lock, changes } = await lockOnce({ a: { url: git("a") }, b: { url: git("b") } }, later, first.lock);
  assert.equal(later.fetched, [git("b")]);
  assert.equal(
    changes.map(({ kind, input }) => [kind, input]),
    [["added", ["b"]]],
  );
  assert.equal(lock.nodes.a, first.lock.nodes.a);
});

test("lockInputs() fetches an input that is declared otherwise, and drops one that is gone", async () => {
  const first = await lockOnce({ a: { url: git("a") }, b: { url: git("b") } }, world({}));
  const { lock, changes } = await lockOnce({ a: { url: git("c") } }, world({}), first.lock);
  assert.equal(
    changes.map(({ kind, input }) => [kind, input.join("/")]),
    [
      ["updated", "a"],
      ["removed", "b"],
    ],
  );
  assert.equal(Object.keys(lock.nodes), ["a", "root"]);
});

test("lockInputs() updates only what is named", async () => {
  const declared = { a: { url: git("a") }, b: { url: git("b") } };
  const first = await lockOnce(declared, world({}));
  const later = world({ [git("a")]: { version: 2 }, [git("b")]: { version: 2 } });
  const { changes } = await lockOnce(declared, later, first.lock, [["a"]]);
  assert.equal(later.fetched, [git("a")]);
  assert.equal(changes, [{ kind: "updated", input: ["a"], before: source(git("a"), 1), after: source(git("a"), 2) }]);
});

test("lockInputs() leaves an entry alone when an update finds the same content at another time", async () => {
  const found = (lastModified: number): LockedSource => ({
    type: "path",
    path: "./pages",
    narHash: HASH,
    lastModified,
  });
  const fetcher = (time: number): InputFetcher => ({ fetch: async () => ({ locked: found(time), ownLock: [] }) });
  const declared = { pages: { url: "path:./pages", flake: false } };
  const first = await lockOnce(declared, fetcher(1));
  const { lock, changes } = await lockOnce(declared, fetcher(2), first.lock, "all");
  assert.equal(changes, []);
  assert.equal(lock, first.lock);
});

test("lockInputs() refuses to update an input that is not there", async () => {
  const declared = { pages: { url: git("a") } };
  try {
    await lockOnce(declared, world({}), EMPTY_LOCK, [["page"]]);
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code: string }).code, "flake.unknown-input");
    assert.is((error as { hint: string }).hint, 'Did you mean "pages"?');
  }
});

test("lockInputs() refuses an input without address", async () => {
  try {
    await lockOnce({ a: {} }, world({}));
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code: string }).code, "flake.input-without-url");
  }
});

test("lockInputs() leaves to a dependency what its own lock pins, and locks the rest", async () => {
  const fetcher = world({ [git("b")]: { declared: { x: { url: git("x") }, y: { url: git("y") } }, ownLock: ["x"] } });
  const { lock } = await lockOnce({ b: { url: git("b") } }, fetcher);
  assert.equal(Object.keys(lock.nodes).sort(), ["b", "b/y", "root"]);
  assert.equal((lock.nodes.b as { inputs: unknown }).inputs, { y: "b/y" });
});

test("lockInputs() records follows, drops empty ones, and warns of an override nobody asks for", async () => {
  const fetcher = world({ [git("b")]: { declared: { a: { url: git("old") }, z: { url: git("z") } }, ownLock: [] } });
  const declared: DeclaredInputs = {
    a: { url: git("a") },
    b: { url: git("b"), inputs: { a: { follows: "a" }, z: { follows: "" }, zz: { follows: "a" } } },
  };
  const { lock, warnings } = await lockOnce(declared, fetcher);
  assert.equal((lock.nodes.b as LockNode).overrides, { a: ["a"], z: [], zz: ["a"] });
  assert.is((lock.nodes.b as LockNode).inputs, undefined);
  assert.equal(fetcher.fetched, [git("a"), git("b")]);
  assert.equal(warnings, ['The input "b" has no input "zz" to replace. Did you mean "z"?']);
});

test("lockInputs() warns of an override nobody asks for below an entry that stays, where its inputs are known", async () => {
  const sources = { [git("b")]: { declared: { lib: { url: git("lib") } }, ownLock: ["lib"] } };
  const first = await lockOnce({ a: { url: git("a") }, b: { url: git("b") } }, world(sources));
  const asked: (readonly string[])[] = [];
  const fetcher = {
    ...world({}),
    inputNames: async (_: LockedSource, names: readonly string[]) => {
      asked.push(names);
      return ["lib"];
    },
  };
  const overriding = (name: string): DeclaredInputs => ({
    a: { url: git("a") },
    b: { url: git("b"), inputs: { [name]: { follows: "a" } } },
  });
  const warning = ['The input "b" has no input "liib" to replace. Did you mean "lib"?'];
  const second = await lockOnce(overriding("liib"), fetcher, first.lock);
  assert.equal(second.warnings, warning);
  assert.equal((await lockOnce(overriding("liib"), fetcher, second.lock)).warnings, warning, "each time");
  assert.equal((await lockOnce(overriding("lib"), fetcher, first.lock)).warnings, []);
  const replaced = await lockOnce({ b: { url: git("b") } }, fetcher, first.lock, "none", { "b/liib/x": git("x") });
  assert.equal(replaced.warnings, warning);
  assert.equal(asked, [["liib"], ["liib"], ["lib"], ["liib"]]);
  assert.equal(fetcher.fetched, [git("x")], "nothing more is fetched");
  assert.equal((await lockOnce(overriding("liib"), world({}), first.lock)).warnings, [], "nothing is known");
});

test("lockInputs() records what is replaced at any depth, and that it no longer is", async () => {
  const fetcher = world({ [git("b")]: { declared: { c: { url: git("c") } }, ownLock: ["c"] } });
  const deep: DeclaredInputs = {
    a: { url: git("a") },
    b: { url: git("b"), inputs: { c: { inputs: { d: { follows: "a" }, e: { url: git("e") } } } } },
  };
  const { lock } = await lockOnce(deep, fetcher);
  assert.equal((lock.nodes.b as LockNode).overrides, { "c/d": ["a"], "c/e": "b/c/e" });
  assert.equal(Object.keys(lock.nodes).sort(), ["a", "b", "b/c/e", "root"]);
  assert.equal(findStaleInputs(deep, lock), []);
  const less: DeclaredInputs = { a: { url: git("a") }, b: { url: git("b") } };
  assert.equal(findStaleInputs(less, lock), ['"b/c/d" is no longer replaced', '"b/c/e" is no longer replaced']);
  fetcher.fetched.length = 0;
  const after = await lockOnce(less, fetcher, lock);
  assert.equal(fetcher.fetched, [], "the entry of b did not move");
  assert.equal(Object.keys(after.lock.nodes).sort(), ["a", "b", "root"]);
  assert.equal(findStaleInputs(less, after.lock), []);
});

test("lockInputs() moves an input of an input that this lock pins, and it alone", async () => {
  const inner = { declared: { c: { url: git("c") }, d: { url: git("d") } }, ownLock: [] };
  const declared = { b: { url: git("b") } };
  const first = await lockOnce(declared, world({ [git("b")]: inner }));
  const later = world({ [git("b")]: { ...inner, version: 2 }, [git("c")]: { version: 2 }, [git("d")]: { version: 2 } });
  const { changes } = await lockOnce(declared, later, first.lock, [["b", "c"]]);
  assert.equal(later.fetched, [git("c")]);
  assert.equal(
    changes.map(({ kind, input }) => [kind, input.join("/")]),
    [["updated", "b/c"]],
  );
});

test("lockInputs() counts what an input without a lock follows from that input", async () => {
  const inner: DeclaredInputs = { x: { url: git("x"), inputs: { y: { follows: "z" } } }, z: { url: git("z") } };
  const { lock } = await lockOnce({ b: { url: git("b") } }, world({ [git("b")]: { declared: inner, ownLock: [] } }));
  assert.equal((lock.nodes["b/x"] as LockNode).overrides, { y: ["b", "z"] });
});

test("lockInputs() puts what the command says in place of an input, and keeps the declaration on record", async () => {
  const declared: DeclaredInputs = { a: { url: git("a") }, b: { url: git("b") }, c: { follows: "a" } };
  const first = await lockOnce(declared, world({}));
  const fetcher = world({});
  const replace = { a: git("other"), "b/x/y": git("deep"), c: git("own") };
  const { lock } = await lockOnce(declared, fetcher, first.lock, "none", replace);
  assert.equal(fetcher.fetched.sort(), [git("deep"), git("other"), git("own")].sort());
  assert.is((lock.nodes.a as LockNode).original, git("a"));
  assert.equal((lock.nodes.a as LockNode).locked, source(git("other")));
  assert.equal((lock.nodes.b as LockNode).overrides, { "x/y": "b/x/y" });
  const wrong = await lockOnce(declared, fetcher, first.lock, "none", { aa: git("x") }).then(
    () => undefined,
    (error: { code: string; message: string }) => error,
  );
  assert.is(wrong?.code, "flake.unknown-input");
  assert.is(wrong?.message, 'Cannot replace the input "aa": the flake has no input "aa"');
});

test("lockInputs() tells where the input that cannot be locked is declared, and who needs it", async () => {
  const locate = (path: readonly string[]) => ({ file: "/flake.config.ts", line: path.length, column: 1 });
  const fault = async (declared: DeclaredInputs, replace = new Map<string, string>()) =>
    lockInputs({
      declared,
      lock: EMPTY_LOCK,
      update: "none",
      replace,
      fetcher: world({ [git("b")]: inner }),
      locate,
    }).then(
      () => assert.unreachable("expected an error") as never,
      (error: { code: string; at?: object; details?: string[] }) => error,
    );
  const inner = { declared: { c: { url: "nonsense" } }, ownLock: [] };
  const direct = await fault({ a: { url: "nonsense" }, b: { url: "nonsense" } });
  assert.equal([direct.code, direct.at], ["flake-reference.malformed", locate(["a"])]);
  const needed = await fault({ b: { url: git("b") } });
  assert.equal([needed.at, needed.details], [locate(["b", "c"]), ['needed by the input "b"']]);
  const said = await fault({ b: { url: git("b") } }, new Map([["b", "nonsense"]]));
  assert.equal([said.at, said.details], [undefined, ["given by --override-input b"]]);
});

test("lockInputs() refuses flakes that need each other and pin nothing, and says what to write", async () => {
  const locate = (path: readonly string[]) => ({ file: "/flake.config.ts", line: path.length, column: 1 });
  const needs = (name: string) => ({ declared: { [name]: { url: git(name) } }, ownLock: [] });
  const lock = (declared: DeclaredInputs, fetcher: InputFetcher) =>
    lockInputs({ declared, lock: EMPTY_LOCK, update: "none", fetcher, locate });
  const fault = (declared: DeclaredInputs, fetcher: InputFetcher) =>
    lock(declared, fetcher).then(
      () => assert.unreachable("expected an error") as never,
      (error: { code: string; at: unknown; message: string; hint: string }) => error,
    );
  const two = world({ [git("a")]: needs("b"), [git("b")]: needs("a") });
  const circle = await fault({ a: { url: git("a") } }, two);
  assert.is(circle.code, "flake.circular-inputs");
  assert.match(circle.message, '"a/b/a": it is "a" again');
  assert.equal(circle.at, locate(["a", "b", "a"]));
  assert.match(circle.hint, 'a: { inputs: { b: { inputs: { a: { follows: "a" } } } } }');
  const mended: DeclaredInputs = { a: { url: git("a"), inputs: { b: { inputs: { a: { follows: "a" } } } } } };
  assert.equal(Object.keys((await lock(mended, two)).lock.nodes).sort(), ["a", "a/b", "root"]);
  const hyphens = await fault(
    { "a-1": { url: git("a-1") } },
    world({ [git("a-1")]: needs("b-1"), [git("b-1")]: needs("a-1") }),
  );
  assert.match(hyphens.hint, '"a-1": { inputs: { "b-1": { inputs: { "a-1": { follows: "a-1" } } } } }');
  // One that pins what it needs has an end, and so has one that is used twice.
  const pinned = world({
    [git("a")]: needs("b"),
    [git("b")]: { ...needs("a"), ownLock: ["a"] },
    [git("c")]: needs("a"),
  });
  await lock({ a: { url: git("a") }, b: { url: git("b") }, c: { url: git("c") } }, pinned);
  let count = 0;
  const endless: InputFetcher = {
    fetch: async (reference) => ({ locked: source(formatReference(reference), ++count), ...needs("more") }),
  };
  assert.is((await fault({ more: { url: git("more") } }, endless)).code, "flake.inputs-too-deep");
});

test("lockInputs() refuses to follow what is not there, where it is declared", async () => {
  const locate = (path: readonly string[]) => ({ file: "/flake.config.ts", line: path.length, column: 1 });
  const fault = (declared: DeclaredInputs) =>
    lockInputs({ declared, lock: EMPTY_LOCK, update: "none", fetcher: world({}), locate }).then(
      () => assert.unreachable("expected an error") as never,
      ({ code, at, hint }: { code: string; at: unknown; hint: string }) => [code, at, hint],
    );
  const hint = 'Did you mean "pages"?';
  assert.equal(await fault({ pages: { url: git("a") }, b: { follows: "page" } }), [
    "flake.follows-missing",
    locate(["b"]),
    hint,
  ]);
  const below: DeclaredInputs = {
    pages: { url: git("a") },
    b: { url: git("b"), inputs: { c: { follows: "page/x" } } },
  };
  assert.equal(await fault(below), ["flake.follows-missing", locate(["b", "c"]), hint]);
});

test("findStaleInputs() is silent about a fresh lock and names every difference of a stale one", async () => {
  const declared: DeclaredInputs = { a: { url: git("a") }, b: { url: git("b"), flake: false }, c: { follows: "a" } };
  const { lock } = await lockOnce(declared, world({}));
  assert.equal(findStaleInputs(declared, lock), []);
  assert.equal(findStaleInputs({ a: { url: git("other") }, c: { follows: "b" }, d: { url: git("d") } }, lock), [
    '"a" is declared as "git+https://example.org/other", locked as "git+https://example.org/a"',
    '"c" follows something else now',
    '"d" has no entry',
    '"b" is no longer declared',
  ]);
  assert.is(findStaleInputs({ ...declared, b: { url: git("b") } }, lock).length, 1, "a flake is not a plain source");
});

test("formatLock() sorts keys by bytes and ends with a line break", async () => {
  const { lock } = await lockOnce({ b: { url: git("b") }, a: { url: git("a") } }, world({}));
  const text = formatLock(lock);
  assert.ok(text.endsWith("}\n"));
  assert.ok(text.indexOf('"a"') < text.indexOf('"b"'));
  assert.is(formatLock(JSON.parse(text) as LockFile), text);
});

const node = (url: string, inputs?: Record<string, string | string[]>): object => ({
  original: url,
  locked: source(url),
  ...(inputs === undefined ? {} : { inputs }),
});
const lockOf = (inputs: Record<string, string | string[]>, nodes: Record<string, object>): LockFile =>
  ({ version: 1, root: "root", nodes: { root: { inputs }, ...nodes } }) as LockFile;

test("resolveInputs() reads the lock inside a dependency and lets the outer one override it", () => {
  const outer = lockOf({ a: "a", b: "b" }, { a: node("a"), b: node("b", { a: ["a"] }) });
  const inner = lockOf({ a: "a", c: "c", d: ["c", "e"] }, { a: node("old-a"), c: node("c", { e: "e" }), e: node("e") });
  const { nodes } = resolveInputs(outer, ({ id }) => (id === "b" ? inner : undefined));
  assert.equal(nodes.get("b")?.inputs, { c: "b/c", d: "b/e", a: "a" });
  assert.equal([...nodes.keys()].sort(), ["a", "b", "b/c", "b/e"]);
  assert.is(nodes.get("b/c")?.parent, "b");
});

test("resolveInputs() leaves out what is replaced by nothing, also where the input pins it", () => {
  const b = { ...node("b"), overrides: { c: [] } };
  const { nodes } = resolveInputs(lockOf({ b: "b" }, { b }), ({ id }) =>
    id === "b" ? lockOf({ c: "c", d: "d" }, { c: node("c"), d: node("d") }) : undefined,
  );
  assert.equal(nodes.get("b")?.inputs, { d: "b/d" });
});

test("resolveInputs() replaces inputs of inputs of inputs, also for what follows them", () => {
  // b pins c and lets d follow c's e; c pins e. Outside, e of c is replaced by a.
  const outer = lockOf(
    { a: "a", b: "b", x: ["b", "d"] },
    { a: node("a"), b: { ...node("b"), overrides: { "c/e": ["a"] } } },
  );
  const locks: Readonly<Record<string, LockFile>> = {
    b: lockOf({ c: "c", d: ["c", "e"] }, { c: node("c") }),
    "b/c": lockOf({ e: "e", f: ["e"] }, { e: node("e") }),
  };
  const { inputs, nodes } = resolveInputs(outer, ({ id }) => locks[id]);
  assert.equal(nodes.get("b/c")?.inputs, { e: "a", f: "a" });
  assert.equal(nodes.get("b")?.inputs, { c: "b/c", d: "a" });
  assert.is(inputs["x"], "a");
  assert.equal([...nodes.keys()].sort(), ["a", "b", "b/c"]);
});

test("resolveInputs() gives two inputs that are one source in a diamond one place each, and one when they follow", () => {
  const outer = lockOf(
    { l: "l", r: "r", s: "s" },
    { l: { ...node("l"), overrides: { s: ["s"] } }, r: { ...node("r"), overrides: { s: ["s"] } }, s: node("s") },
  );
  const inner = lockOf({ s: "s" }, { s: node("s") });
  const { nodes } = resolveInputs(outer, ({ id }) => (id === "l" || id === "r" ? inner : undefined));
  assert.equal([nodes.get("l")?.inputs, nodes.get("r")?.inputs, nodes.size], [{ s: "s" }, { s: "s" }, 3]);
});

test("resolveInputs() follows a path into what a dependency pins itself", () => {
  const outer = lockOf({ b: "b", x: ["b", "c"] }, { b: node("b") });
  const { inputs } = resolveInputs(outer, ({ id }) => (id === "b" ? lockOf({ c: "c" }, { c: node("c") }) : undefined));
  assert.equal(inputs, { b: "b", x: "b/c" });
});

test("resolveInputs() refuses follows that lead nowhere or in a circle, and missing nodes", () => {
  const code = (lock: LockFile): string => {
    try {
      resolveInputs(lock, () => undefined);
    } catch (error) {
      return (error as { code: string }).code;
    }
    return "resolved";
  };
  assert.is(code(lockOf({ a: ["b"], b: ["a"] }, {})), "flake.follows-cycle");
  assert.is(code(lockOf({ a: ["b"] }, {})), "flake.follows-missing");
  assert.is(code(lockOf({ a: "a" }, {})), "flake.lock-malformed");
});

test.run();

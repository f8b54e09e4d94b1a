import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../base/index.ts";
import { defineOverlay, definePackage, type Pkgs } from "./index.ts";
import { beginTinyEvaluation, DEFINITIONS, get, makeTinySet, tiny, type TinyPkgs } from "./testdata/tiny-set.ts";

test.before.each(() => {
  beginTinyEvaluation();
});

/** The error that `run` throws. */
function errorOf(run: () => unknown): CodedError {
  try {
    run();
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
  throw new Error("expected an error");
}

const line = (error: CodedError): string => `${error.at?.file.split("/").at(-1)}:${error.at?.line}`;

test("makePackageSet() makes a member on first use, and once", () => {
  let count = 0;
  const set = makeTinySet([], { one: definePackage(() => tiny({ name: `one${++count}` })) });
  assert.is(count, 0);
  assert.is(get(set, "one"), get(set, "one"));
  assert.is(count, 1);
});

test("makePackageSet() lists packages, and has builders by name alone", () => {
  const set = makeTinySet();
  assert.equal(Object.keys(set), ["library", "tool"]);
  assert.ok("greet" in set);
  assert.not("nothing" in set);
  assert.is((set as unknown as { greet(): string }).greet(), "hello");
  assert.is((set as unknown as { then: unknown }).then, undefined);
});

test("extend() gives the same set with further overlays, and leaves the first one as it is", () => {
  const set = makeTinySet();
  const next = (set as unknown as Pkgs).extend(
    defineOverlay({ override: { library: (previous) => previous.overrideAttrs(() => ({ version: "3.0" })) } }),
    defineOverlay({ add: { third: () => tiny({ name: "third" }) } }),
  );
  assert.is(get(next as unknown as TinyPkgs, "library").version, "3.0");
  assert.not(get(set, "library").version === "3.0");
  assert.equal(Object.keys(next), ["library", "tool", "third"]);
  assert.ok("extend" in set);
});

test("a package in a string is its output path, and becomes an input of what uses it", () => {
  const evaluation = beginTinyEvaluation();
  const set = makeTinySet();
  assert.is(`${get(set, "tool")}`, get(set, "tool").outPath);
  assert.ok(evaluation.derivations.get(get(set, "tool").drvPath)?.includes(get(set, "library").drvPath));
  assert.equal(Object.keys(get(set, "tool").outputs), ["out"]);
});

test("asking for a package that is missing names the package that asks, its file and the likely name", () => {
  const definitions = {
    ...DEFINITIONS,
    wrong: definePackage((pkgs) => tiny({ name: "wrong", inputs: [get(pkgs, "libary")] })),
  };
  const definedAt = definitions.wrong.at;
  const error = errorOf(() => get(makeTinySet([], definitions), "wrong"));
  assert.is(error.code, "package.missing");
  assert.match(error.message, /Cannot find the package "libary", which "wrong" takes as an argument/);
  assert.is(error.hint, 'Did you mean "library"?');
  assert.equal(error.at, definedAt);
  assert.match(line(error), /^package-set\.test\.ts:/);
});

test("asking for a package that is missing from outside names the caller's line", () => {
  const error = errorOf(() => get(makeTinySet(), "tol"));
  assert.is(error.code, "package.missing");
  assert.is(error.hint, 'Did you mean "tool"?');
});

test("packages that need each other are a cycle", () => {
  const definitions = {
    a: definePackage((pkgs) => get(pkgs, "b")),
    b: definePackage((pkgs) => get(pkgs, "a")),
  };
  const error = errorOf(() => get(makeTinySet([], definitions), "a"));
  assert.is(error.code, "package.cycle");
  assert.match(error.message, /"a" needs "b" needs "a"/);
});

test("an overlay's change reaches the packages that depend on it", () => {
  const plain = makeTinySet();
  const changed = makeTinySet([
    defineOverlay({ override: { library: (previous) => previous.overrideAttrs(() => ({ version: "2.0" })) } }),
  ]);
  assert.is(get(changed, "library").version, "2.0");
  assert.is.not(get(changed, "tool").outPath, get(plain, "tool").outPath);
});

test("overlays apply in order, and see the set after all of them", () => {
  const first = defineOverlay({
    override: { library: (previous) => previous.overrideAttrs((_, { version }) => ({ version: `${version}.1` })) },
  });
  const second = defineOverlay({
    override: { library: (previous) => previous.overrideAttrs((_, { version }) => ({ version: `${version}.2` })) },
    add: { extra: (final) => tiny({ name: "extra", inputs: [get(final, "library")] }) },
  });
  const set = makeTinySet([first, second]);
  assert.is(get(set, "library").version, "1.0.1.2");
  assert.is(get(set, "extra").name, "extra");
  assert.equal(Object.keys(set), ["library", "tool", "extra"]);
});

test("a misspelt override is an error at the overlay's line, never a new package", () => {
  const overlay = defineOverlay({ override: { librari: (previous) => previous } });
  const error = errorOf(() => makeTinySet([overlay]));
  assert.is(error.code, "package.unknown-override");
  assert.is(error.hint, 'Did you mean "library"?');
  assert.equal(error.at, overlay.at);
});

test("adding a package that exists is an error", () => {
  const error = errorOf(() => makeTinySet([defineOverlay({ add: { tool: () => tiny({ name: "tool" }) } })]));
  assert.is(error.code, "package.already-exists");
  assert.match(error.hint ?? "", /under "override"/);
});

test("override() replaces arguments of a definition, and keeps earlier changes", () => {
  const set = makeTinySet();
  const other = tiny({ name: "library", version: "9" });
  const tool = get(set, "tool");
  const replaced = tool.override({ library: other });
  assert.is.not(replaced.outPath, tool.outPath);
  assert.is(tool.overrideAttrs(() => ({ version: "3" })).override({ library: other }).version, "3");
  assert.is(replaced.override({ library: get(set, "library") }).outPath, tool.outPath);
});

test("override() of an argument the definition does not take is an error", () => {
  const error = errorOf(() => get(makeTinySet(), "tool").override({ libary: tiny({ name: "x" }) }));
  assert.is(error.code, "package.unknown-argument");
  assert.is(error.hint, 'Did you mean "library"?');
});

test("override() of a package that is in no set is an error", () => {
  assert.is(errorOf(() => tiny({ name: "loose" }).override({})).code, "package.not-overridable");
});

test("definePackage() arguments are the set's own members", () => {
  const seen: unknown[] = [];
  const look = definePackage((pkgs: Pkgs) => {
    seen.push((pkgs as unknown as TinyPkgs)["library"]);
    return tiny({ name: "look" });
  });
  const set = makeTinySet([], { ...DEFINITIONS, look });
  get(set, "look");
  assert.equal(seen, [get(set, "library")]);
});

test.run();

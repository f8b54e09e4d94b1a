import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  defineBuildTool,
  defineOverlay,
  definePackage,
  makePackageSet,
  nativeOf,
  type Overlay,
  type Pkgs,
} from "./index.ts";
import { beginTinyEvaluation, DEFINITIONS, get, tiny, type TinyPkgs } from "./testdata/tiny-set.ts";

test.before.each(() => {
  beginTinyEvaluation();
});

const definitions = {
  ...DEFINITIONS,
  compiler: defineBuildTool(() => tiny({ name: "compiler" })),
  // What a set builds for shows in the version.
  library: definePackage((pkgs) => tiny({ name: "library", version: pkgs.isCross ? "1.0-other" : "1.0" })),
};

function makeSets(...overlays: Overlay[]): { native: Pkgs; other: Pkgs } {
  const tools = (greeting: string) => () => ({ greet: () => greeting });
  const native = makePackageSet({
    definitions,
    overlays,
    tools: tools("hello"),
    cross: { other: tools("good day") },
  });
  return { native, other: (native.cross as unknown as Record<string, Pkgs>)["other"] as Pkgs };
}

const VERSION_3 = defineOverlay({
  override: { library: (previous) => previous.overrideAttrs(() => ({ version: "3.0" })) },
});

test("a cross set has the same definitions, its own tools, and knows the set that builds", () => {
  const { native, other } = makeSets();
  assert.is(get(other, "library").version, "1.0-other");
  assert.is((other as unknown as { greet(): string }).greet(), "good day");
  assert.is(other.native, native);
  assert.is(native.native, native);
  assert.equal([native.isCross, other.isCross], [false, true]);
  assert.is((native.cross as unknown as Record<string, Pkgs>)["other"], other, "it is made once");
});

test("build tools of a cross set are those of the set that builds, and are none of its packages", () => {
  const { native, other } = makeSets();
  assert.is(get(other, "compiler"), get(native, "compiler"));
  assert.equal(Object.keys(other), ["library", "tool"]);
  assert.equal(Object.keys(native), ["library", "tool", "compiler"]);
  assert.ok("compiler" in other);
});

test("nativeOf() gives the package of the building platform, with the same changes", () => {
  const { native, other } = makeSets();
  assert.is(nativeOf(get(other, "library")), get(native, "library"));
  assert.is(nativeOf(get(native, "library")), get(native, "library"));
  assert.is(nativeOf("/a/path"), "/a/path");
  const changed = get(other, "library").overrideAttrs(() => ({ name: "changed" }));
  assert.is(changed.version, "1.0-other");
  assert.equal([nativeOf(changed).name, nativeOf(changed).version], ["changed", "1.0"]);
});

test("nativeOf() of a package with other arguments has the native ones of these", () => {
  const evaluation = beginTinyEvaluation();
  const { native, other } = makeSets();
  const library = get(other, "library").overrideAttrs(() => ({ version: "2.0" }));
  const tool = nativeOf(
    get(other, "tool")
      .override({ library })
      .overrideAttrs(() => ({ version: "9" })),
  );
  assert.is(tool.version, "9");
  const text = evaluation.derivations.get(tool.drvPath) ?? "";
  assert.ok(text.includes(nativeOf(library).drvPath));
  assert.not(text.includes(get(native, "library").drvPath));
});

test("overlays reach both sets, and extend() of a cross set gives a cross set", () => {
  const { native, other } = makeSets(VERSION_3);
  assert.equal([get(native, "library").version, get(other, "library").version], ["3.0", "3.0"]);
  const extended = makeSets().other.extend(VERSION_3);
  assert.equal([extended.isCross, get(extended, "library").version], [true, "3.0"]);
  assert.is(get(extended.native, "library").version, "3.0");
  assert.is((extended as unknown as TinyPkgs & { greet(): string }).greet(), "good day");
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseInstallable } from "./installable.ts";

// Nix 2.8: nix-instantiate --eval -E 'builtins.toFile "foo" "bar"'
const FOO = "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo";

test("parseInstallable() reads attributes of flakes", () => {
  assert.equal(parseInstallable(".#hello"), { kind: "flake", flake: ".", attribute: "hello", outputs: undefined });
  assert.equal(parseInstallable("#hello"), { kind: "flake", flake: ".", attribute: "hello", outputs: undefined });
  assert.equal(parseInstallable("git+https://host/r?ref=main#a.b"), {
    kind: "flake",
    flake: "git+https://host/r?ref=main",
    attribute: "a.b",
    outputs: undefined,
  });
});

test("parseInstallable() reads the outputs wanted of a package", () => {
  const hello = { kind: "flake", flake: ".", attribute: "hello" };
  assert.equal(parseInstallable(".#hello^dev,out"), { ...hello, outputs: ["dev", "out"] });
  assert.equal(parseInstallable(".#hello^*"), { ...hello, outputs: "all" });
  // As `nix build '.^*'` has it.
  assert.equal(parseInstallable(".^*"), { ...hello, attribute: "default", outputs: "all" });
  assert.equal(parseInstallable(".#hello^plan^out,dev"), { ...hello, outputs: ["out", "dev"], through: ["plan"] });
  assert.equal(parseInstallable("./a^b/c#hello"), { ...hello, flake: "./a^b/c", outputs: undefined });
});

test("parseInstallable() takes `default` when no attribute is named", () => {
  assert.equal(parseInstallable("."), { kind: "flake", flake: ".", attribute: "default", outputs: undefined });
  assert.equal(parseInstallable("./there#"), {
    kind: "flake",
    flake: "./there",
    attribute: "default",
    outputs: undefined,
  });
});

test("parseInstallable() reads derivations, with the outputs wanted", () => {
  assert.equal(parseInstallable(`${FOO}.drv`), { kind: "derivation", path: `${FOO}.drv`, outputs: "all" });
  assert.equal(parseInstallable(`${FOO}.drv!out,dev`), {
    kind: "derivation",
    path: `${FOO}.drv`,
    outputs: ["out", "dev"],
  });
  assert.equal(parseInstallable(`${FOO}.drv^*`), { kind: "derivation", path: `${FOO}.drv`, outputs: "all" });
  const nested = { kind: "derivation", path: `${FOO}.drv`, through: ["out", "plan"] };
  assert.equal(parseInstallable(`${FOO}.drv^out^plan^*`), { ...nested, outputs: "all" });
  assert.equal(parseInstallable(`${FOO}.drv!out!plan!dev`), { ...nested, outputs: ["dev"] });
});

test("parseInstallable() takes a path inside a store object as the object", () => {
  assert.equal(parseInstallable(FOO), { kind: "store-path", path: FOO });
  assert.equal(parseInstallable(`${FOO}/bin/foo`), { kind: "store-path", path: FOO });
});

test("parseInstallable() refuses a bare word and says how to write it", () => {
  assert.throws(
    () => parseInstallable("hello"),
    (error: { code: string; hint: string }) => error.code === "installable.ambiguous" && error.hint.includes(".#hello"),
  );
  assert.throws(
    () => parseInstallable(""),
    (error: { code: string }) => error.code === "installable.empty",
  );
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { attributeCandidates, formatAttribute, parseAttribute, parseInstallable } from "./attribute.ts";

test("parseAttribute() splits at dots outside of quotes", () => {
  assert.equal(parseAttribute(""), []);
  assert.equal(parseAttribute("packages.x86_64-linux.hello"), ["packages", "x86_64-linux", "hello"]);
  assert.equal(parseAttribute('a."b.c".d'), ["a", "b.c", "d"]);
  assert.is(formatAttribute(["a", "b.c", "d"]), 'a."b.c".d');
  for (const bad of ["a.", ".a", "a..b", 'a."b', "a b"])
    assert.throws(
      () => parseAttribute(bad),
      (error: { code: string }) => error.code === "attribute.malformed",
      bad,
    );
});

test("attributeCandidates() tries outputs in order and the plain path last", () => {
  assert.equal(attributeCandidates("hello", { platform: "x86_64-linux" }).map(formatAttribute), [
    "packages.x86_64-linux.hello",
    "systems.hello",
    "vmTests.hello",
    "apps.x86_64-linux.hello",
    "checks.x86_64-linux.hello",
    "hello",
  ]);
  assert.equal(attributeCandidates("", { platform: "p", kinds: ["packages"] }), [
    ["packages", "p", "default"],
    ["default"],
  ]);
});

test("attributeCandidates() takes a path that begins with an output as it is, first", () => {
  assert.equal(attributeCandidates("systems.web", { platform: "p" })[0], ["systems", "web"]);
});

test("parseInstallable() parts flake and attribute", () => {
  assert.equal(parseInstallable(".#hello"), { flake: ".", attribute: "hello" });
  assert.equal(parseInstallable("#a.b"), { flake: ".", attribute: "a.b" });
  assert.equal(parseInstallable("github:o/r"), { flake: "github:o/r", attribute: "" });
});

test.run();

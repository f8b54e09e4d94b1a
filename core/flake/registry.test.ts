import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { formatReference } from "./reference.ts";
import {
  formatRegistry,
  parseRegistry,
  parseRegistryName,
  type Registry,
  resolveNamed,
  tryParseNamed,
} from "./registry.ts";

const user: Registry = {
  mine: "github:owner/mine",
  short: "flake:mine",
  folder: "path:/srv/x",
  loop: "flake:pool",
  pool: "loop",
};
const system: Registry = { mine: "github:owner/other", shared: "git+https://example.org/a?ref=main&dir=sub" };

const resolve = (text: string): string => {
  const named = tryParseNamed(text);
  assert.ok(named, text);
  return formatReference(resolveNamed(named, [user, system]));
};
const code = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return "none";
};

test("tryParseNamed() takes words, and neither folders nor addresses", () => {
  assert.equal(tryParseNamed("hello"), { name: "hello", query: "" });
  assert.equal(tryParseNamed("flake:hello/v1?dir=a"), { name: "hello", pinned: "v1", query: "dir=a" });
  for (const text of [".", "./a", "../a", "/a", "~/a", "github:a/b", "git+https://x/a", "", "1a"])
    assert.is(tryParseNamed(text), undefined, text);
});

test("resolveNamed() lets the user's registry count before the system's, and follows names", () => {
  assert.is(resolve("mine"), "git+https://github.com/owner/mine.git");
  assert.is(resolve("short/v2"), "git+https://github.com/owner/mine.git?ref=v2");
  assert.is(resolve("shared"), "git+https://example.org/a?ref=main&dir=sub");
  assert.is(resolve(`shared/${"a".repeat(40)}`), `git+https://example.org/a?rev=${"a".repeat(40)}&dir=sub`);
  assert.is(resolve("folder"), "path:/srv/x");
  assert.is(resolve("folder?dir=sub"), "path:/srv/x?dir=sub");
});

test("resolveNamed() refuses names that stand for nothing, for themselves, or for no repository", () => {
  assert.is(
    code(() => resolve("nothing")),
    "registry.unknown-name",
  );
  assert.is(
    code(() => resolve("loop")),
    "registry.cycle",
  );
  assert.is(
    code(() => resolve("folder/main")),
    "registry.not-git",
  );
  assert.is(
    code(() => parseRegistryName("a/b")),
    "registry.bad-name",
  );
  assert.is(parseRegistryName("flake:a"), "a");
});

test("parseRegistry() reads what formatRegistry() writes, and nothing else", () => {
  const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]*$/);
  fc.assert(
    fc.property(fc.dictionary(name, fc.string()), (flakes) => {
      assert.equal(parseRegistry(formatRegistry(flakes), "x"), { ...flakes });
    }),
  );
  for (const text of [
    "",
    "[]",
    "{}",
    '{"version":2,"flakes":{}}',
    '{"version":1,"flakes":[]}',
    '{"version":1,"flakes":{"a":1}}',
    '{"version":1,"flakes":{"a/b":"x"}}',
  ])
    assert.is(
      code(() => parseRegistry(text, "x")),
      "registry.malformed",
      text,
    );
});

test.run();

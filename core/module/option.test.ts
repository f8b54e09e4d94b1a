import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Defs, declare, defineModule, documentOptions, evaluateModules, option } from "./index.ts";

function merged(one: Parameters<typeof declare>[1][string], ...values: unknown[]): unknown {
  const module = defineModule(declare("t", { one }));
  const config = values.map((value) => ({ t: { one: value } }) as Defs);
  return (evaluateModules({ modules: [module], config }).config as unknown as { t: { one: unknown } }).t.one;
}
const refuses = (one: Parameters<typeof declare>[1][string], ...values: unknown[]) =>
  assert.throws(
    () => merged(one, ...values),
    (error: { code: string }) => ["option.wrong-type", "option.conflict"].includes(error.code),
  );

test("option.int() and option.port() keep their bounds", () => {
  assert.is(merged(option.int({ min: 1, max: 3 }), 3), 3);
  refuses(option.int({ min: 1, max: 3 }), 4);
  refuses(option.int(), 1.5);
  refuses(option.port(), 65536);
});

test("option.str() matches the whole of a pattern", () => {
  assert.is(merged(option.str({ pattern: /[a-z]+/ }), "abc"), "abc");
  refuses(option.str({ pattern: /[a-z]+/ }), "abc1");
});

test("option.enumeration() takes what is listed", () => {
  assert.is(merged(option.enumeration(["a", "b"]), "b"), "b");
  refuses(option.enumeration(["a", "b"]), "c");
});

test("option.path() gives text, from anything with a store path", () => {
  assert.is(merged(option.path(), "/etc/x"), "/etc/x");
  assert.is(merged(option.path(), { outPath: "/nix/store/x", toString: () => "/nix/store/x" }), "/nix/store/x");
  refuses(option.path(), "relative");
});

test("option.package() takes packages only; equal output paths agree", () => {
  const made = () => ({ outPath: "/nix/store/x", toString: () => "/nix/store/x" });
  assert.is(String(merged(option.package(), made(), made())), "/nix/store/x");
  refuses(option.package(), "/nix/store/x");
});

test("option.nullOr() defaults to null and conflicts between null and a value", () => {
  assert.is(merged(option.nullOr(option.int())), null);
  assert.is(merged(option.nullOr(option.int()), 1), 1);
  refuses(option.nullOr(option.int()), 1, null);
});

test("option.oneOf() merges with the first type that fits all", () => {
  const value = option.oneOf([option.listOf(option.str()), option.str(), option.bool()]);
  assert.equal(merged(value, ["a"], ["b"]), ["a", "b"]);
  assert.is(merged(value, true), true);
  refuses(value, "a", ["b"]);
  refuses(value, 1);
});

test("option.coerced() converts before it merges", () => {
  const list = option.coerced(option.str(), (text) => [text], option.listOf(option.str()));
  assert.equal(merged(list, "a", ["b"]), ["a", "b"]);
});

test("option.anything() merges attribute sets deeply and refuses to choose", () => {
  assert.equal(merged(option.anything(), { a: { b: 1 } }, { a: { c: 2 } }), { a: { b: 1, c: 2 } });
  refuses(option.anything(), { a: 1 }, { a: 2 });
});

test("documentOptions() needs no configuration and follows submodules", () => {
  const hosts = option.attrsOf(option.submodule({ root: option.path({ description: "Where files lie." }) }));
  const docs = documentOptions([defineModule(declare("web", { hosts, hidden: option.bool({ internal: true }) }))]);
  assert.equal(
    docs.map(({ path }) => path),
    ["web.hosts", "web.hosts.<name>.root"],
  );
  assert.is(docs[1]?.description, "Where files lie.");
  assert.is(docs[0]?.default, "{}");
  assert.match(docs[0]?.declaredAt?.file ?? "", /option\.test\.ts$/);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../base/index.ts";
import type { PathInfo, StorePath } from "../store/index.ts";
import { checkOutputs, discardsReferences } from "./output-checks.ts";
import { drv, graph, out } from "./testdata/graph.ts";

const info = (name: string, references: string[], narSize = 100): PathInfo => ({
  path: out(name),
  narHash: hashBytes("sha256", name),
  narSize,
  references: references.map(out),
  signatures: [],
});
const store = new Map<StorePath, PathInfo>([info("lib", ["libc"]), info("libc", [])].map((each) => [each.path, each]));

function check(env: Record<string, string>, references: string[]): string[] {
  const derivation = { ...graph({})(drv("app")), env };
  return checkOutputs({
    drv: derivation,
    built: { out: info("app", references) },
    infoOf: (path) => store.get(path),
  }).map((fault) => fault.code);
}
const FORBIDDEN = ["build.forbidden-reference"];

test("checkOutputs() looks at direct references for the reference rules", () => {
  assert.equal(check({ allowedReferences: out("lib") }, ["lib"]), []);
  assert.equal(check({ allowedReferences: "" }, ["lib"]), FORBIDDEN);
  assert.equal(check({ allowedReferences: `${out("lib")} out` }, ["lib", "app"]), []);
  assert.equal(check({ allowedReferences: out("lib") }, ["lib", "app"]), FORBIDDEN);
  assert.equal(check({ disallowedReferences: out("libc") }, ["lib"]), []);
  assert.equal(check({ disallowedReferences: out("lib") }, ["lib"]), FORBIDDEN);
});

test("discardsReferences() reads structured attributes, one output at a time", () => {
  const stated = (value: unknown): Record<string, string> => ({
    __json: JSON.stringify({ unsafeDiscardReferences: value }),
  });
  const ask = (env: Record<string, string>, output = "out"): boolean =>
    discardsReferences({ ...graph({})(drv("app")), env }, output);
  assert.is(ask(stated({ out: true, dev: false })), true);
  assert.is(ask(stated({ out: true, dev: false }), "dev"), false);
  assert.is(ask(stated({ out: true }), "dev"), false);
  // Plain variables cannot say it, as in Nix.
  assert.is(ask({ unsafeDiscardReferences: "1" }), false);
  for (const odd of [true, { out: "yes" }])
    assert.throws(
      () => ask(stated(odd)),
      (error: CodedError) => error.code === "build.bad-rule",
    );
});

test("checkOutputs() looks at the closure for the requisite rules, without the output itself", () => {
  assert.equal(check({ allowedRequisites: out("lib") }, ["lib"]), FORBIDDEN);
  assert.equal(check({ allowedRequisites: `${out("lib")} ${out("libc")}` }, ["lib", "app"]), []);
  assert.equal(check({ disallowedRequisites: out("libc") }, ["lib"]), FORBIDDEN);
});

test("checkOutputs() reads rules and sizes from structured attributes, for each output", () => {
  const rules = (each: object): Record<string, string> => ({ __json: JSON.stringify({ outputChecks: { out: each } }) });
  assert.equal(check(rules({ maxSize: 100 }), []), []);
  assert.equal(check(rules({ maxSize: 99 }), []), ["build.too-large"]);
  assert.equal(check(rules({ maxClosureSize: 299 }), ["lib"]), ["build.too-large"]);
  assert.equal(check(rules({ maxClosureSize: 300 }), ["lib"]), []);
  assert.equal(check(rules({ allowedRequisites: [] }), ["app"]), FORBIDDEN);
  assert.equal(check(rules({ allowedRequisites: [], ignoreSelfRefs: true }), ["app"]), []);
  assert.equal(check({ __json: JSON.stringify({ outputChecks: { dev: { maxSize: 1 } } }) }, []), []);
});

test("checkOutputs() refuses a rule that names nothing", () => {
  assert.equal(check({ disallowedReferences: "nope" }, []), ["build.bad-rule"]);
  assert.equal(check({ disallowedReferences: `${out("lib")}/bin` }, []), ["build.bad-rule"]);
});

test("checkOutputs() refuses rules of another shape instead of passing them over", () => {
  const shapes = [
    { allowedReferences: "out" },
    { maxSize: "1" },
    { maxClosureSize: -1 },
    { ignoreSelfRefs: 1 },
    [],
    "x",
  ];
  for (const out of shapes) {
    const env = { __json: JSON.stringify({ outputChecks: { out } }) };
    assert.throws(
      () => check(env, []),
      (error: CodedError) => error.code === "build.bad-rule" && error.exitCode === 100,
    );
  }
  assert.equal(check({ __json: `{"outputChecks":{"out":{"maxSize":null,"allowedReferences":null}}}` }, ["lib"]), []);
});

test.run();

/** In plain Node, where tests and drivers import files of a flake; what an evaluation does is in core/host/evaluator/import-sync.test.ts. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../base/index.ts";
import { importLazily, importSync } from "./import-sync.ts";
import { value } from "./testdata/imported.ts";

test("importSync() gives what the file beside the caller exports, as import does", () => {
  assert.is(importSync<typeof import("./testdata/imported.ts")>("./testdata/imported.ts").value, value);
});

test("importLazily() has a member for each file, and imports it once that is asked for", () => {
  const members = importLazily<string>({ here: "./testdata/imported.ts", gone: "./testdata/gone.ts" });
  assert.equal(Object.keys(members), ["here", "gone"]);
  assert.is(members["here"], "by default");
  assert.throws(() => members["gone"], /gone\.ts/);
});

test("importLazily() refuses a file without a default export where the list is written", () => {
  const members = importLazily({ one: "./testdata/unnamed.ts" });
  try {
    void members["one"];
  } catch (error) {
    assert.instance(error, CodedError);
    const { code, at } = error as CodedError;
    assert.equal([code, at?.file], ["flake.no-default-export", import.meta.filename]);
    return;
  }
  assert.unreachable();
});

test("importSync() and importLazily() need a file that calls", () => {
  const call = new Function("use", "what", "return use(what)") as (use: unknown, what: unknown) => unknown;
  for (const run of [() => call(importSync, "./a.ts"), () => call(importLazily, { a: "./a.ts" })])
    assert.throws(run, (error: CodedError) => error.code === "source.no-caller");
});

test.run();

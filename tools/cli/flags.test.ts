import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CliContext } from "./context.ts";
import { parseCount, storeFlags } from "./flags.ts";

test("parseCount() takes whole numbers, 0 or more", () => {
  assert.is(parseCount("0"), 0);
  assert.is(parseCount("12"), 12);
  for (const text of ["-1", "1.5", "many"]) assert.throws(() => parseCount(text));
  assert.throws(
    () => parseCount("1.5"),
    (error: { code: string }) => error.code === "cli.bad-number",
  );
});

test("--store takes a directory, relative to where the command runs, and no address", () => {
  const context = { cwd: "/home/user" } as CliContext;
  assert.is(storeFlags.store.parse.call(context, "there"), "/home/user/there");
  assert.is(storeFlags.store.parse.call(context, "/there"), "/there");
  assert.throws(
    () => storeFlags.store.parse.call(context, "https://cache.example"),
    (error: { code: string }) => error.code === "cli.bad-store",
  );
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import { DEFAULT_GC_SETTINGS, parseCollectionSettings } from "./index.ts";

test("parseCollectionSettings() takes what is said, and the rest from before", () => {
  const none = { ...DEFAULT_GC_SETTINGS, minFreeBytes: undefined, maxFreeBytes: undefined };
  assert.equal(parseCollectionSettings(`{ "substituters": [] }`, "x"), none);
  const some = parseCollectionSettings(`{ "keepOutputs": true, "minFree": "5G", "maxFree": 1000 }`, "x");
  assert.equal(some, { ...none, keepOutputs: true, minFreeBytes: 5 * 1024 ** 3, maxFreeBytes: 1000 });
  assert.equal(parseCollectionSettings(`{ "keepOutputs": false }`, "x", some), { ...some, keepOutputs: false });
});

test("parseCollectionSettings() refuses what it cannot read", () => {
  for (const text of ["", "[]", "null", `{ "keepOutputs": "yes" }`, `{ "minFree": "much" }`, `{ "maxFree": true }`]) {
    assert.throws(
      () => parseCollectionSettings(text, "settings.json"),
      (error: CodedError) => error.code === "gc.settings-malformed",
      text,
    );
  }
});

test.run();

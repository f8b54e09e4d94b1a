import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { INPUTS_NAME, isStale } from "./stale.ts";
import { temporaryDirectory } from "./testing.ts";

/** A checkout with a bundle of two sources. */
function makeHouse(): { readonly house: string; readonly bundle: string; readonly source: string } {
  const house = temporaryDirectory();
  for (const folder of [".git", "core", "dist"]) mkdirSync(join(house, folder));
  const [bundle, source] = [join(house, "dist/floe.cjs"), join(house, "core/b.ts")];
  for (const file of [join(house, "core/a.ts"), source]) writeFileSync(file, "");
  writeFileSync(join(house, "dist", INPUTS_NAME), "core/a.ts\ncore/b.ts\n");
  writeFileSync(bundle, "");
  const later = Date.now() / 1000 + 10;
  utimesSync(bundle, later, later);
  return { house, bundle, source };
}

test("isStale() compares a bundle with the sources it was made from", () => {
  const { bundle, house, source } = makeHouse();
  assert.is(isStale(bundle), false);
  const later = Date.now() / 1000 + 20;
  writeFileSync(join(house, "core/no-input.ts"), "");
  utimesSync(join(house, "core/no-input.ts"), later, later);
  assert.is(isStale(bundle), false);
  utimesSync(source, later, later);
  assert.is(isStale(bundle), true);
});

test("isStale() sees a source that is gone, and a bundle that does not say what it was made from", () => {
  const { bundle, house, source } = makeHouse();
  rmSync(source);
  assert.is(isStale(bundle), true);
  rmSync(join(house, "dist", INPUTS_NAME));
  assert.is(isStale(bundle), true);
});

test("isStale() believes a bundle where nobody edits", () => {
  const { bundle, house, source } = makeHouse();
  rmSync(source);
  rmSync(join(house, ".git"), { recursive: true });
  assert.is(isStale(bundle), false);
});

test.run();

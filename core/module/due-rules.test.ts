import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Source } from "./cell.ts";
import { DueRules } from "./due-rules.ts";
import { literalModule } from "./evaluate.ts";

const rule = (key: string): Source => ({
  module: literalModule(key, {}, undefined),
  run: { outcome: { kind: "done" }, reads: new Set(), definitions: new Map(), diagnostics: [], warnings: [] },
});

const [a, b, c, d] = [rule("a"), rule("b"), rule("c"), rule("d")];

test("DueRules gives those of the lowest level first, each once, in the order in which they came", () => {
  const levels = new Map([
    [a, 2],
    [b, 1],
    [d, 1],
  ]);
  const due = new DueRules([a, d, b], levels);
  assert.is(due.lowest, 1);
  due.add(d);
  assert.equal(due.takeLowest(), [d, b]);
  assert.is(due.lowest, 2);
  // One that has no level is on the lowest.
  due.add(c);
  assert.equal(due.takeLowest(), [c]);
  assert.equal([...due.all], [a]);
  assert.equal(due.takeLowest(), [a]);
  assert.is(due.all.size, 0);
});

test("DueRules.sortBy() puts what waits on other levels", () => {
  const due = new DueRules([a, b, c], new Map([[a, 3]]));
  due.sortBy(
    new Map([
      [b, 5],
      [c, 4],
    ]),
  );
  assert.equal(due.takeLowest(), [a]);
  assert.equal(due.takeLowest(), [c]);
  due.add(a);
  assert.equal(due.takeAll(), [b, a]);
  assert.is(due.all.size, 0);
});

test.run();

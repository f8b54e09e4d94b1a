import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type ExpiryRule, planExpiry } from "./index.ts";

const DAY = 24 * 60 * 60 * 1000;
const day = (number: number): Date => new Date(number * DAY);

/** Generations made on these days, numbered from 1. */
const made = (days: readonly number[], current: number) =>
  days.map((each, index) => ({
    number: index + 1,
    target: `/nix/store/${index + 1}`,
    date: day(each),
    current: index + 1 === current,
  }));
const gone = (generations: ReturnType<typeof made>, rule: ExpiryRule, inUse?: ReadonlySet<string>): number[] =>
  planExpiry(generations, rule, inUse).map(({ number }) => number);

test("planExpiry() keeps the generation that was active at the moment", () => {
  const generations = made([1, 5, 10, 20], 4);
  // On day 12 the third was active: it stays, although it is older.
  assert.equal(gone(generations, { since: day(12) }), [1, 2]);
  assert.equal(gone(generations, { since: day(10) }), [1]);
  assert.equal(gone(generations, { since: day(1) }), []);
  assert.equal(gone(generations, { since: day(100) }), [1, 2, 3]);
});

test("planExpiry() keeps the newest, the current one and what is in use", () => {
  const generations = made([1, 2, 3, 4, 5], 2);
  assert.equal(gone(generations, { keep: 0 }), [1, 3, 4, 5]);
  assert.equal(gone(generations, { keep: 2 }), [1, 3]);
  assert.equal(gone(generations, { keep: 9 }), []);
  assert.equal(gone(generations, { keep: 2 }, new Set(["/nix/store/1"])), [3]);
  assert.equal(gone(generations, { keep: 1, since: day(4) }), [1], "both rules have to give it up");
});

test("planExpiry() never gives up the current generation, and gives up less with more rules", () => {
  const days = fc.array(fc.nat(50), { maxLength: 8 });
  fc.assert(
    fc.property(days, fc.nat(9), fc.nat(9), fc.nat(60), (when, current, keep, since) => {
      const generations = made(
        [...when].sort((a, b) => a - b),
        current,
      );
      const both = gone(generations, { keep, since: day(since) });
      assert.not.ok(both.includes(current));
      for (const rule of [{ keep }, { since: day(since) }]) {
        const alone = gone(generations, rule);
        for (const number of both) assert.ok(alone.includes(number));
      }
      assert.ok(generations.length - both.length >= Math.min(keep, generations.length));
    }),
  );
});

test.run();

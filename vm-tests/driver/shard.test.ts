import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatDurations, parseDurations, parseShard, testsOfShard } from "./shard.ts";

const code = (wanted: string) => (error: { code: string }) => error.code === wanted;
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 12 }),
  fc.constantFrom("1", "10", "__proto__", "constructor"),
);
const seconds = fc.oneof(fc.integer({ min: 0, max: 4000 }), fc.double({ min: 0, max: 4000, noNaN: true }));
const suite = fc
  .uniqueArray(name, { maxLength: 40 })
  .chain((names) =>
    fc
      .array(fc.option(seconds, { nil: undefined }), { minLength: names.length, maxLength: names.length })
      .map((times) => ({ names, durations: new Map(names.flatMap((each, i) => pair(each, times[i]))) })),
  );

function pair(key: string, value: number | undefined): [string, number][] {
  return value === undefined ? [] : [[key, value]];
}

function allShards(names: readonly string[], durations: ReadonlyMap<string, number>, count: number): string[][] {
  return Array.from({ length: count }, (_, index) => testsOfShard(names, durations, { index: index + 1, count }));
}

test("parseShard() reads a number of a count, and nothing else", () => {
  assert.equal(parseShard("2/3"), { index: 2, count: 3 });
  assert.equal(parseShard("1/1"), { index: 1, count: 1 });
  for (const text of ["", "1", "0/3", "4/3", "1/0", "-1/3", "1.5/3", " 1/3", "1/3 ", "01/3", "1/3/4", "a/b"])
    assert.throws(() => parseShard(text), code("vm-test.bad-shard"), text);
});

test("testsOfShard() has every test in exactly one shard, in the order they were in", () => {
  fc.assert(
    fc.property(suite, fc.integer({ min: 1, max: 9 }), ({ names, durations }, count) => {
      const shards = allShards(names, durations, count);
      assert.equal(shards.flat().sort(), [...names].sort());
      for (const shard of shards)
        assert.equal(
          shard,
          names.filter((each) => shard.includes(each)),
        );
    }),
  );
});

test("testsOfShard() depends on names and durations, and not on their order or on tests elsewhere", () => {
  fc.assert(
    fc.property(
      suite,
      fc.integer({ min: 1, max: 9 }),
      fc.infiniteStream(fc.nat()),
      ({ names, durations }, count, order) => {
        const shuffled = [...names]
          .map((each) => [order.next().value, each] as const)
          .sort(([one], [other]) => one - other)
          .map(([, each]) => each);
        const more = new Map([["a test that is not here", 5000], ...[...durations].reverse()]);
        const sorted = (shards: string[][]): string[][] => shards.map((shard) => shard.sort());
        assert.equal(sorted(allShards(shuffled, more, count)), sorted(allShards(names, durations, count)));
      },
    ),
  );
});

test("testsOfShard() balances: no shard takes longer than the shortest and the longest test together", () => {
  fc.assert(
    fc.property(suite, fc.integer({ min: 1, max: 9 }), ({ names }, count) => {
      const times = new Map(names.map((each, index) => [each, (index * 37) % 100]));
      const sums = allShards(names, times, count).map((shard) =>
        shard.reduce((sum, each) => sum + (times.get(each) ?? 0), 0),
      );
      assert.ok(Math.max(...sums) - Math.min(...sums) <= Math.max(0, ...times.values()));
    }),
  );
});

test("testsOfShard() balances by number where nothing is known, and where nothing takes time", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  for (const durations of [new Map(), new Map(names.map((each) => [each, 0]))]) {
    const sizes = allShards(names, durations, 3).map((shard) => shard.length);
    assert.equal(sizes.sort(), [2, 2, 3]);
  }
});

test("formatDurations() writes what parseDurations() reads, sorted", () => {
  fc.assert(
    fc.property(suite, ({ durations }) => {
      const text = formatDurations(durations);
      assert.equal(new Map([...parseDurations(text, "file")].sort()), new Map([...durations].sort()));
      assert.is(formatDurations(new Map([...durations].reverse())), text);
    }),
  );
  assert.is(
    formatDurations(
      new Map([
        ["b", 1.5],
        ["a", 2],
      ]),
    ),
    '{\n  "a": 2,\n  "b": 1.5\n}\n',
  );
});

test("parseDurations() refuses what is none", () => {
  for (const text of ["", "[]", "null", '{"a":"1"}', '{"a":-1}', '{"a":1e999}', "{"])
    assert.throws(() => parseDurations(text, "file"), code("vm-test.bad-durations"), text);
});

test.run();

import { CodedError, compareText, isRecord } from "../../core/base/index.ts";

/** One of several machines that share the tests, counted from 1. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** Seconds that tests took, by their names. */
export type Durations = ReadonlyMap<string, number>;

/**
 * Read `i/n`.
 *
 * @throws {CodedError} `vm-test.bad-shard`
 */
export function parseShard(text: string): Shard {
  const [, index, count] = /^([1-9]\d{0,5})\/([1-9]\d{0,5})$/.exec(text) ?? [];
  const shard = { index: Number(index), count: Number(count) };
  if (count !== undefined && shard.index <= shard.count) return shard;
  throw new CodedError("vm-test.bad-shard", `Cannot read "${text}" as a shard: expected a number, "/" and how many`, {
    hint: "The second of three is: --shard 2/3",
  });
}

/**
 * Divide tests by how long they take, so that all shards end at about the same time: the longest first, each to the shard that has the
 * least so far. What takes how long nobody knows is taken for as long as half of the known ones take at most.
 *
 * The result depends on names and durations alone, so every machine that has the same of both finds the same shards, and every test is in
 * one of them.
 *
 * @returns names in the order they were in.
 */
export function testsOfShard(names: readonly string[], durations: Durations, { index, count }: Shard): string[] {
  const known = [...new Set(names)].flatMap((name) => durations.get(name) ?? []).sort((a, b) => a - b);
  const usual = known[Math.floor((known.length - 1) / 2)] ?? 1;
  const weighed = [...new Set(names)].map((name) => ({ name, seconds: durations.get(name) ?? usual }));
  weighed.sort((one, other) => other.seconds - one.seconds || compareText(one.name, other.name));
  const shards = Array.from({ length: count }, () => ({ seconds: 0, names: new Set<string>() }));
  for (const { name, seconds } of weighed) {
    // Where all take no time at all, their number is what is left to balance.
    const least = shards.reduce((best, shard) =>
      shard.seconds < best.seconds || (shard.seconds === best.seconds && shard.names.size < best.names.size)
        ? shard
        : best,
    );
    least.seconds += seconds;
    least.names.add(name);
  }
  const own = shards[index - 1]?.names ?? new Set();
  return names.filter((name) => own.has(name));
}

/**
 * Read recorded durations.
 *
 * Shape: `{ "boot": 12.5, … }`, seconds by the names of tests.
 *
 * @param from Name of the file, for errors.
 * @throws {CodedError} `vm-test.bad-durations`
 */
export function parseDurations(text: string, from: string): Durations {
  let fields: unknown;
  try {
    fields = JSON.parse(text);
  } catch (cause) {
    throw badDurations(from, "it is not JSON", cause);
  }
  if (!isRecord(fields)) throw badDurations(from, "expected an object");
  const bad = Object.entries(fields).find(
    ([, seconds]) => typeof seconds !== "number" || !Number.isFinite(seconds) || seconds < 0,
  );
  if (bad !== undefined) throw badDurations(from, `expected seconds for "${bad[0]}"`);
  return new Map(Object.entries(fields as Record<string, number>));
}

/** The same durations as text, sorted by names. */
export function formatDurations(durations: Durations): string {
  const sorted = [...durations].sort(([one], [other]) => compareText(one, other));
  return `${JSON.stringify(Object.fromEntries(sorted), undefined, 2)}\n`;
}

function badDurations(from: string, found: string, cause?: unknown): CodedError {
  return new CodedError("vm-test.bad-durations", `Cannot read durations from "${from}": ${found}`, {
    hint: "`floe vm-test report DIR… --durations FILE` writes such a file.",
    cause,
  });
}

import { concatBytes } from "../../core/base/index.ts";
import type { Random } from "./random.ts";

/** Lengths that have broken readers: at borders of signed and unsigned numbers, and far beyond all memory. */
const NUMBERS = [
  0n,
  1n,
  7n,
  8n,
  255n,
  256n,
  4096n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 60n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const LARGEST = 64 * 1024;

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array, words: readonly Uint8Array[]) => Uint8Array;

const MUTATIONS: readonly Mutation[] = [
  flipBit,
  flipBit,
  (bytes, random) => changed(bytes, random.below(bytes.length), Uint8Array.of(random.below(256))),
  (bytes, random) => {
    const number = new Uint8Array(8);
    new DataView(number.buffer).setBigUint64(0, random.pick(NUMBERS), true);
    return changed(bytes, random.below(Math.ceil(bytes.length / 8)) * 8, number);
  },
  (bytes, random) => {
    const [start, end] = range(bytes, random);
    return concatBytes([bytes.subarray(0, start), bytes.subarray(end)]);
  },
  (bytes, random) => {
    const [start, end] = range(bytes, random);
    // Sometimes so often that what is nested exhausts a stack.
    const often = random.chance(400) ? LARGEST : random.chance(8) ? random.below(64) : 1;
    const times = Math.min(often, Math.ceil(LARGEST / (end - start)));
    return concatBytes([bytes.subarray(0, end), ...Array(times).fill(bytes.subarray(start, end)), bytes.subarray(end)]);
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random, _other, words) => insert(bytes, random, words.length === 0 ? random.bytes(4) : random.pick(words)),
  (bytes, random, _other, words) =>
    changed(bytes, random.below(bytes.length), words.length === 0 ? random.bytes(8) : random.pick(words)),
  (bytes, random) => insert(bytes, random, random.bytes(random.size(32))),
  (bytes, random, other) => {
    const [start, end] = range(other, random);
    return insert(bytes, random, other.subarray(start, end));
  },
  (bytes, random, other) =>
    concatBytes([bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length))]),
];

/** A sample with some damage, more often a little than much. One in sixteen stays whole. */
export function mutate(
  sample: Uint8Array,
  random: Random,
  other: Uint8Array,
  words: readonly Uint8Array[],
): Uint8Array {
  let bytes = sample;
  const times = random.chance(16) ? 0 : 1 + random.size(6);
  for (let i = 0; i < times; i++) {
    bytes = bytes.length === 0 ? random.bytes(random.size(16)) : random.pick(MUTATIONS)(bytes, random, other, words);
    if (bytes.length > LARGEST) bytes = bytes.subarray(0, LARGEST);
  }
  return bytes;
}

function flipBit(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length);
  return changed(bytes, at, Uint8Array.of((bytes[at] as number) ^ (1 << random.below(8))));
}

function changed(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy.set(part.subarray(0, copy.length - at), at);
  return copy;
}

function insert(bytes: Uint8Array, random: Random, part: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  return concatBytes([bytes.subarray(0, at), part, bytes.subarray(at)]);
}

function range(bytes: Uint8Array, random: Random): [start: number, end: number] {
  const start = random.below(bytes.length);
  return [start, Math.min(bytes.length, start + 1 + random.size(bytes.length))];
}

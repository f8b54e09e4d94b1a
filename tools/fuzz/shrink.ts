import { concatBytes } from "../../core/base/index.ts";

const MOST_TRIES = 3000;

/** A smaller input that still fails: parts are left out, from halves down to single bytes, as long as it helps. */
export async function shrink(input: Uint8Array, fails: (input: Uint8Array) => Promise<boolean>): Promise<Uint8Array> {
  let best = input;
  let tries = 0;
  if (!(await fails(best))) return best;
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < best.length && tries < MOST_TRIES; tries++) {
      const candidate = concatBytes([best.subarray(0, at), best.subarray(at + size)]);
      if (await fails(candidate)) best = candidate;
      else at += size;
    }
  }
  return best;
}

import { CodedError } from "../../../core/base/index.ts";
import { expect, type Target } from "../target.ts";

const sample = (): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => i);
const once = (target: Omit<Target, "sample">) => async (): Promise<Target> => ({ sample, ...target });
const held: unknown[] = [];

/** Readers with one fault each, which the fuzzer has to find. */
export const TARGETS: Readonly<Record<string, () => Promise<Target>>> = {
  sound: once({
    check(input) {
      if (input.length % 2 === 1) throw new CodedError("test.odd", "Cannot read it: found an odd length");
    },
  }),
  crash: once({
    check(input) {
      if (input.includes(0xff)) (undefined as unknown as { x: number }).x++;
    },
  }),
  wrong: once({ check: (input) => expect(!input.includes(0xee), "what was written is read differently") }),
  hang: once({
    check(input) {
      while (input.includes(0xff));
    },
  }),
  heap: once({
    check() {
      // Little by little: a worker ends at its limit, but the whole process at one piece that is far beyond it.
      for (let chain: unknown; ; ) chain = { chain, more: [0] };
    },
  }),
  buffers: once({ check: () => void held.push(new Uint8Array(16 * 1024 * 1024)) }),
};

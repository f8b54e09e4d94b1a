/** Runs the cases of one target; `fuzzTarget` watches it from outside, because a reader that hangs cannot watch itself. */
import { parentPort, workerData } from "node:worker_threads";
import { CodedError, toBase64 } from "../../core/base/index.ts";
import { mutate } from "./mutate.ts";
import { Random } from "./random.ts";
import { shrink } from "./shrink.ts";
import type { Target } from "./target.ts";

export interface WorkerTask {
  /** The module that exports the `TARGETS`. */
  readonly targets: string;
  readonly target: string;
  readonly seed: number;
  /** The first case, and one past the last. */
  readonly first: number;
  readonly end: number;
  /** Run this very input instead, as the case `first`. */
  readonly input?: Uint8Array;
  /** The case that is being run. */
  readonly progress: Int32Array;
}

export type WorkerReport =
  | { readonly kind: "done"; readonly accepted: number; readonly refused: number }
  | { readonly kind: "fault"; readonly index: number; readonly input: string; readonly words: string };

/** More bytes of buffers than any case has a reason to hold: inputs are below 64 KiB. */
const LARGEST_BUFFERS = 128 * 1024 * 1024;
/** Asking costs as much as some cases do. */
const MEASURED_ONE_IN = 32;

const { targets, target: name, seed, first, end, input: given, progress } = workerData as WorkerTask;
const { TARGETS } = (await import(targets)) as { TARGETS: Readonly<Record<string, () => Promise<Target>>> };
const target = await (TARGETS[name] as () => Promise<Target>)();
// Refusals are the rule here, and taking down their stacks would cost more than reading.
Error.stackTraceLimit = 0;
let accepted = 0;
let refused = 0;
let report: WorkerReport | undefined;
for (let index = first; index < end && report === undefined; index++) {
  Atomics.store(progress, 0, index);
  const random = new Random(seed, name, index);
  const input = given ?? (await makeInput(random));
  let words = await faultOf(input, index);
  if (words === "") accepted++;
  else if (words === undefined) refused++;
  if (index % MEASURED_ONE_IN === MEASURED_ONE_IN - 1 && process.memoryUsage().arrayBuffers > LARGEST_BUFFERS)
    words = `holds more than ${LARGEST_BUFFERS} bytes after this case or one of the ${MEASURED_ONE_IN - 1} before it`;
  if (words !== "" && words !== undefined) {
    const same = words;
    const smaller = await shrink(input, async (bytes) => {
      Atomics.store(progress, 0, index);
      Atomics.add(progress, 1, 1);
      return kindOf(await faultOf(bytes, index)) === kindOf(same);
    });
    Error.stackTraceLimit = 20;
    report = { kind: "fault", index, input: toBase64(smaller), words: (await faultOf(smaller, index)) || same };
  }
}
target.close?.();
parentPort?.postMessage(report ?? ({ kind: "done", accepted, refused } satisfies WorkerReport));

async function makeInput(random: Random): Promise<Uint8Array> {
  const sample = await target.sample(random);
  const other = random.chance(4) ? await target.sample(random) : sample;
  return mutate(sample, random, other, target.words ?? []);
}

/** What is wrong; empty when the input is accepted, `undefined` when it is refused as it should be. */
async function faultOf(input: Uint8Array, index: number): Promise<string | undefined> {
  try {
    // What is decided by chance is the same for every input of a case, so that shrinking keeps to the point.
    await target.check(input, new Random(seed, `${name}-check`, index));
    return "";
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** The first line without its numbers: shrinking must not turn one fault into another. */
function kindOf(words: string | undefined): string | undefined {
  return words?.split("\n", 1)[0]?.replace(/[0-9]+|".*"/g, "");
}

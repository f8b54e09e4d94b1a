/**
 * Feed the readers of all formats with damaged input.
 *
 * Usage: node tools/fuzz/run.ts [TARGET…] [--cases N] [--seed S] [--case I | --input BASE64]
 *
 * Each case begins with a valid sample, is damaged, and read. A reader may refuse with an error of its own; it must not crash,
 * hang, take memory that the input does not account for, or (archives) write outside of its place; and what it accepts must
 * survive being written and read. Everything follows from the seed. A fault is made smaller and printed with the command that
 * repeats it.
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { fromBase64 } from "../../core/base/index.ts";
import { TARGETS } from "./targets/index.ts";
import type { WorkerReport, WorkerTask } from "./worker.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    cases: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    case: { type: "string" },
    input: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(
    `node tools/fuzz/run.ts [TARGET…] [--cases N] [--seed S] [--case I | --input BASE64]\n\nTargets: ${Object.keys(TARGETS).join(", ")}`,
  );
  process.exit(0);
}
const unknown = positionals.find((name) => !Object.hasOwn(TARGETS, name));
if (unknown !== undefined) stop(`Cannot fuzz "${unknown}": expected some of ${Object.keys(TARGETS).join(", ")}`);
const names = positionals.length === 0 ? Object.keys(TARGETS) : positionals;
const cases = wholeNumber("cases", values.cases);
const seed = wholeNumber("seed", values.seed);
const single = values.case === undefined ? undefined : wholeNumber("case", values.case);

/** A case takes well below a millisecond; a machine that does much else at once may still let it wait. */
const HANG_SECONDS = 20;
/** Of a worker: code and samples take a fifth of it. */
const HEAP_MEGABYTES = 256;

console.log(`seed ${seed}`);
let failed = 0;
const queue = [...names];
await Promise.all(
  Array.from({ length: Math.min(4, availableParallelism()) }, async () => {
    for (let name = queue.shift(); name !== undefined; name = queue.shift()) await fuzz(name);
  }),
);
console.log(`${names.length - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function fuzz(target: string): Promise<void> {
  const started = performance.now();
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const first = single ?? 0;
  const input = values.input === undefined ? undefined : fromBase64(values.input);
  const end = single !== undefined || input !== undefined ? first + 1 : cases;
  const task: WorkerTask = { target, seed, first, end, progress, ...(input === undefined ? {} : { input }) };
  const fault = await watch(
    new Worker(new URL("worker.ts", import.meta.url), {
      workerData: task,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MEGABYTES },
    }),
    progress,
  );
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (fault.kind === "done") {
    console.log(
      `${target.padEnd(14)}${end - first} cases: ${fault.accepted} accepted, ${fault.refused} refused   ${seconds} s`,
    );
    return;
  }
  failed++;
  console.log(`✘ ${target}: case ${fault.index}: ${fault.words}`);
  const repeat = `node tools/fuzz/run.ts ${target} --seed ${seed} --case ${fault.index}`;
  console.log(`  repeat: ${repeat}`);
  if (fault.input !== "") console.log(`  smaller input: ${repeat} --input ${fault.input}`);
}

/** The worker's report, or what kept it from giving one. */
function watch(worker: Worker, progress: Int32Array): Promise<WorkerReport> {
  const fault = (words: string): WorkerReport => ({
    kind: "fault",
    index: Atomics.load(progress, 0),
    input: "",
    words,
  });
  return new Promise((resolve) => {
    let last = "";
    let since = performance.now();
    const timer = setInterval(() => {
      const now = progress.join();
      if (now !== last) {
        last = now;
        since = performance.now();
      } else if (performance.now() - since > HANG_SECONDS * 1000) {
        settle(fault(`hangs: no end after ${HANG_SECONDS} s`));
      }
    }, 500);
    const settle = (report: WorkerReport): void => {
      clearInterval(timer);
      void worker.terminate();
      resolve(report);
    };
    worker.once("message", settle);
    worker.once("error", (error) => settle(fault((error as Error).stack ?? String(error))));
    worker.once("exit", () => settle(fault("ends without a word")));
  });
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31)
    stop(`Cannot read --${flag} "${text}": expected a whole number`);
  return value;
}

function stop(message: string): never {
  console.error(`error: ${message}`);
  process.exit(64);
}

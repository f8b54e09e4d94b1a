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
import { fromBase64 } from "../../core/base/index.ts";
import { fuzzTarget } from "./fuzz-target.ts";
import { TARGETS } from "./targets/index.ts";

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

/** From so many cases on, some are whole. */
const FEWEST_CASES = 500;

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
  const first = single ?? 0;
  const input = values.input === undefined ? undefined : fromBase64(values.input);
  const end = single !== undefined || input !== undefined ? first + 1 : cases;
  const fault = await fuzzTarget({ target, seed, first, end, ...(input === undefined ? {} : { input }) });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (fault.kind === "done") {
    console.log(
      `${target.padEnd(14)}${end - first} cases: ${fault.accepted} accepted, ${fault.refused} refused   ${seconds} s`,
    );
    // A reader that refuses even what is whole would pass for a good one.
    if (fault.accepted > 0 || end - first < FEWEST_CASES) return;
    failed++;
    console.log(`✘ ${target}: it accepts nothing, not even samples without damage`);
    return;
  }
  failed++;
  console.log(`✘ ${target}: case ${fault.index}: ${fault.words}`);
  const repeat = `node tools/fuzz/run.ts ${target} --seed ${seed} --case ${fault.index}`;
  console.log(`  repeat: ${repeat}`);
  if (fault.input !== "") console.log(`  smaller input: ${repeat} --input ${fault.input}`);
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

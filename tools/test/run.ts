/**
 * The test command: stages in order, what each cost, every failure with its output, and one last line of totals.
 *
 * `--only STAGE[,STAGE]` runs some stages, `--filter TEXT` only tests whose file or name contains TEXT, `--rerun` also the long ones
 * that passed before with all as it is now.
 */
import { parseArgs } from "node:util";
import { type StageResult, sum, totals } from "./report.ts";
import { stages } from "./stages.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    filter: { type: "string" },
    rerun: { type: "boolean", default: false },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(`npm test -- [--only STAGE[,STAGE…]] [--filter TEXT] [--rerun]\n\nStages:`);
  for (const { name, brief } of stages) console.log(`  ${name.padEnd(12)} ${brief}`);
  process.exit(0);
}
const only = values.only?.split(",");
const unknown = only?.find((name) => stages.every((stage) => stage.name !== name));
if (unknown !== undefined) {
  console.error(
    `error: Cannot run stage "${unknown}": expected one of ${stages.map((stage) => stage.name).join(", ")}`,
  );
  process.exit(64);
}

const controller = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => controller.abort());
}
const inPlace = process.stderr.isTTY === true && !process.env["CI"];
// No test is a person who gives the next command soon.
process.env["CI"] ||= "true";
const results: StageResult[] = [];
for (const stage of stages) {
  if (only !== undefined && !only.includes(stage.name)) continue;
  if (controller.signal.aborted) break;
  const started = performance.now();
  const result = await stage.run({
    filter: values.filter,
    rerun: values.rerun,
    signal: controller.signal,
    progress: (line) => {
      if (inPlace) process.stderr.write(`\r\x1b[K${stage.name}: ${line}`);
    },
  });
  if (inPlace) process.stderr.write("\r\x1b[K");
  results.push(result);
  for (const { name, output } of result.failures) console.log(`\n✘ ${name}\n${indent(output)}\n`);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `${stage.name.padEnd(12)} ${totals(result).padEnd(28)} ${seconds.padStart(7)} s${result.note ? `   ${result.note}` : ""}`,
  );
}
const all = sum(results);
for (const { name } of all.failures) console.log(`✘ ${name}`);
if (controller.signal.aborted) console.log("interrupted: what was left has not run");
console.log(totals(all));
process.exitCode = all.failed > 0 || controller.signal.aborted ? 1 : 0;

function indent(text: string): string {
  return text.trimEnd().replace(/^/gm, "  ");
}

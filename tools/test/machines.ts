import { join } from "node:path";
import { ROOT } from "../checks/source-tree.ts";
import { runChild } from "./child.ts";
import { type StageResult, single, stripColors, sum } from "./report.ts";
import type { StageOptions } from "./stages.ts";

/** From an empty store the machines' packages are compiled first, which is most of the time. */
const TIMEOUT_SECONDS = 2 * 60 * 60;
/** How much of a failed story's output is shown; all of it lies in the folder that its last lines name. */
const SHOWN_LINES = 80;

/** Run the flake's machine tests with the program itself, as its users do; each story is one test. */
export async function runMachines(options: StageOptions): Promise<StageResult> {
  const listed = await floe(["vm-test", "list", "--json"], options);
  if (listed.code !== 0) return single("vm-test list", listed.output);
  // The list is a JSON text among words for people.
  const names = [...listed.output.matchAll(/^\s*"name": "([^"]+)"/gm)].map((match) => match[1] ?? "");
  if (names.length === 0) return single("vm-test list", `it lists no machine test:\n${listed.output}`);
  const chosen = names.filter((each) => options.filter === undefined || each.includes(options.filter));
  const results: StageResult[] = [];
  const queue = [...chosen.entries()];
  const runNext = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined && !options.signal.aborted; next = queue.shift()) {
      results[next[0]] = await runStory(next[1], options);
      if (next[0] === 0) return;
    }
  };
  // What all stories need is built for the first one. The others run two at a time: machines wait for clocks and disks, and a
  // story's deadlines count what its guests got of the processor.
  await runNext();
  await Promise.all([runNext(), runNext()]);
  return sum(results.filter((result) => result !== undefined));
}

async function runStory(name: string, options: StageOptions): Promise<StageResult> {
  // Builds can take long: what is happening must be seen. Continuous integration ends runs that stay silent.
  const child = await floe(["vm-test", "run", name], options, withName(name));
  const output = stripColors(child.output).split("\n").slice(-SHOWN_LINES).join("\n");
  return single(`vm-test ${name}`, child.code === 0 ? undefined : output);
}

/** Shows whole lines, each with whose it is. */
function withName(name: string): (text: string) => void {
  let begun = "";
  return (text) => {
    const lines = (begun + text).split("\n");
    begun = lines.pop() ?? "";
    for (const line of lines) process.stderr.write(`${name}: ${line}\n`);
  };
}

function floe(words: readonly string[], { signal }: StageOptions, onOutput?: (text: string) => void) {
  return runChild([join(ROOT, "tools/cli/floe"), ...words], {
    cwd: ROOT,
    timeoutSeconds: TIMEOUT_SECONDS,
    signal,
    ...(onOutput === undefined ? {} : { onOutput }),
  });
}

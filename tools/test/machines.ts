import { join } from "node:path";
import { ROOT } from "../checks/source-tree.ts";
import { runChild } from "./child.ts";
import { type StageResult, stripColors, sum } from "./report.ts";
import type { StageOptions } from "./stages.ts";

/** The stories that every change must pass. */
const STORIES = ["boot", "nginx", "rollback"];

/** From an empty store the machines' packages are compiled first, which is most of the time. */
const TIMEOUT_SECONDS = 2 * 60 * 60;

/** Run the machine stories with the program itself, as its users do; each story is one test. */
export async function runMachines(options: StageOptions): Promise<StageResult> {
  const chosen = STORIES.filter((story) => options.filter === undefined || story.includes(options.filter));
  const results: StageResult[] = [];
  for (const story of chosen) {
    options.progress(story);
    const child = await runChild([join(ROOT, "tools/cli/floe"), "vm-test", "run", story], {
      cwd: ROOT,
      timeoutSeconds: TIMEOUT_SECONDS,
      signal: options.signal,
      // Builds can take long: what is happening must be seen. Continuous integration ends runs that stay silent.
      onOutput: (text) => process.stderr.write(text),
    });
    if (child.code === 0) results.push({ passed: 1, failed: 0, skipped: 0, failures: [] });
    else
      results.push({
        passed: 0,
        failed: 1,
        skipped: 0,
        failures: [{ name: `vm-test ${story}`, output: lastLines(child.output) }],
      });
  }
  return sum(results);
}

function lastLines(output: string): string {
  return stripColors(output).split("\n").slice(-80).join("\n");
}

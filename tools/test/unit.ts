import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ROOT, sourceFilesEnding } from "../checks/source-tree.ts";
import { type ChildResult, runChild } from "./child.ts";
import { stripColors, type StageResult, sum } from "./report.ts";
import type { StageOptions } from "./stages.ts";

/** Five hundred kills take a minute and a half of two idle processors, and have them to themselves nowhere. */
const FILE_TIMEOUT_SECONDS = 420;

/** All `*.test.ts` of the house, each in a process of its own. */
export function runUnit(options: StageOptions): Promise<StageResult> {
  return runFiles(sourceFilesEnding(".test.ts"), options);
}

async function runFiles(files: readonly string[], options: StageOptions): Promise<StageResult> {
  const chosen = files.filter((file) => options.filter === undefined || file.includes(options.filter));
  // Files that start child processes of their own take longest: they begin first, so that none is left over at the end.
  const queue = [...chosen].sort((a, b) => weight(b) - weight(a) || (a < b ? -1 : 1));
  const results: StageResult[] = [];
  const slow: { file: string; seconds: number }[] = [];
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined && !options.signal.aborted; file = queue.shift()) {
      const child = await runChild([process.execPath, "--disable-warning=ExperimentalWarning", file], {
        cwd: ROOT,
        timeoutSeconds: FILE_TIMEOUT_SECONDS,
        env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined },
        signal: options.signal,
      });
      slow.push({ file, seconds: child.seconds });
      results.push(readTotals(file, child));
      options.progress(`${results.length}/${chosen.length} ${file}`);
    }
  };
  // More than there are processors: many tests wait for a disk, a server or a clock.
  const workers = Math.max(2, Math.min(8, Math.ceil(1.5 * availableParallelism())));
  await Promise.all(Array.from({ length: workers }, worker));
  const slowest = slow.sort((a, b) => b.seconds - a.seconds).slice(0, 3);
  const note = `${chosen.length} files; slowest: ${slowest.map(({ file, seconds }) => `${file} ${seconds.toFixed(1)} s`).join(", ")}`;
  return { ...sum(results), note };
}

function weight(file: string): number {
  return /spawn|execFile|runCli|openLocalStore/.test(readFileSync(join(ROOT, file), "utf8")) ? 1 : 0;
}

/** uvu ends with `Total: n`, `Passed: n` and, apart from these, `Skipped: n`; a file that says nothing of the kind has failed. */
export function readTotals(file: string, child: ChildResult): StageResult {
  const output = stripColors(child.output);
  const count = (word: string) =>
    [...output.matchAll(new RegExp(`^\\s*${word}:\\s+(\\d+)`, "gm"))].map((match) => Number(match[1])).at(-1);
  const total = count("Total");
  const passed = count("Passed") ?? 0;
  const skipped = count("Skipped") ?? 0;
  if (child.timedOut) return failure(file, passed, `${output}\nstopped after ${FILE_TIMEOUT_SECONDS} s`, 1);
  if (total === undefined)
    return failure(file, 0, `${output}\nit printed no totals (does the file end with test.run()?)`, 1);
  const failed = total - passed;
  if (failed > 0 || child.code !== 0) return failure(file, passed, output, Math.max(1, failed), skipped);
  return { passed, failed: 0, skipped, failures: [] };
}

function failure(name: string, passed: number, output: string, failed: number, skipped = 0): StageResult {
  return { passed, failed, skipped, failures: [{ name, output }] };
}

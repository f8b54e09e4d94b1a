import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ROOT, sourceFilesEnding } from "../checks/source-tree.ts";
import { type ChildResult, runChild } from "./child.ts";
import { KeptResults } from "./kept-results.ts";
import { stripColors, type StageResult, sum } from "./report.ts";
import type { StageOptions } from "./stages.ts";
import { CACHE, makeSurroundings } from "./surroundings.ts";

/** Says the name of each test as it begins. */
const RUN_FILE = join(import.meta.dirname, "run-file.ts");

/** A file that takes longer hangs: on a quiet machine none takes a minute. */
const FILE_TIMEOUT_SECONDS = 180;
/** Files with more to do. */
const LONGER_SECONDS: Readonly<Record<string, number>> = {
  // Five hundred kills take a minute of two idle processors, and have them to themselves nowhere.
  "core/host/maintenance/kill-loop.test.ts": 420,
  // A hundred and twenty runs of the program.
  "tools/cli/gallery/gallery.test.ts": 360,
  // Forty machines, and dozens: on a quiet host each takes about a second.
  "vm-tests/driver/proof/copies.test.ts": 420,
  "vm-tests/driver/proof/failures.test.ts": 420,
  "vm-tests/driver/proof/channel.test.ts": 420,
  "vm-tests/driver/proof/deadlines.test.ts": 420,
  "vm-tests/driver/proof/whole-run.test.ts": 420,
};
/** How long files took when they ran last, in seconds, by name. */
const DURATIONS = join(CACHE, "durations.json");

/** Tests of the driver on machines that boot, which have to be built first. */
export const PROOF = "vm-tests/driver/proof/";

/** Tests that build what users build, with a toolchain that is in the store already. */
export const BUILDS = "tools/test/builds/";

/** All `*.test.ts` of the house, each in a process of its own. */
export function runUnit(options: StageOptions): Promise<StageResult> {
  return runFiles(
    sourceFilesEnding(".test.ts").filter((file) => !file.startsWith(PROOF) && !file.startsWith(BUILDS)),
    options,
  );
}

export interface RunFilesOptions extends StageOptions {
  /** What their environment has beside everything else. */
  readonly env?: Readonly<Record<string, string>>;
  /** What they are run with, in words, where their sources do not tell. */
  readonly subject?: string;
  /** How many run at once. Default: more than there are processors, since many tests wait for a disk, a server or a clock. */
  readonly workers?: number;
}

export async function runFiles(files: readonly string[], options: RunFilesOptions): Promise<StageResult> {
  const chosen = files.filter((file) => options.filter === undefined || file.includes(options.filter));
  const surroundings = makeSurroundings();
  const durations = readDurations();
  // The longest begin first, so that none is left over at the end.
  const expected = new Map(chosen.map((file) => [file, durations[file] ?? guessSeconds(file)]));
  const queue = [...chosen].sort((a, b) => (expected.get(b) ?? 0) - (expected.get(a) ?? 0) || (a < b ? -1 : 1));
  const kept = new KeptResults(options.subject === undefined ? {} : { subject: options.subject });
  const unchanged: string[] = [];
  const proved: { readonly file: string; readonly result: StageResult; readonly seconds: number }[] = [];
  const results: StageResult[] = [];
  const took: Record<string, number> = {};
  const worker = async () => {
    for (let file = queue.shift(); file !== undefined && !options.signal.aborted; file = queue.shift()) {
      const known = options.rerun ? undefined : kept.find(file);
      if (known !== undefined) {
        unchanged.push(file);
        results.push({ ...known, failed: 0, failures: [] });
        continue;
      }
      const timeoutSeconds = LONGER_SECONDS[file] ?? FILE_TIMEOUT_SECONDS;
      const child = await runChild(
        [process.execPath, "--disable-warning=ExperimentalWarning", RUN_FILE, join(ROOT, file)],
        {
          cwd: ROOT,
          timeoutSeconds,
          env: { ...surroundings.env, ...options.env },
          signal: options.signal,
        },
      );
      took[file] = child.seconds;
      const result = readTotals(file, child);
      proved.push({ file, result, seconds: child.seconds });
      results.push(result);
      options.progress(`${results.length}/${chosen.length} ${file}`);
    }
  };
  const workers = options.workers ?? Math.max(2, Math.min(8, Math.ceil(1.5 * availableParallelism())));
  try {
    await Promise.all(Array.from({ length: workers }, worker));
  } finally {
    kept.keep(proved);
    if (surroundings.temporary !== undefined) rmSync(surroundings.temporary, { recursive: true, force: true });
  }
  writeFileSync(DURATIONS, JSON.stringify({ ...durations, ...took }));
  const slowest = Object.entries(took)
    .sort(([, a], [, b]) => b - a)
    .slice(0, 3);
  const notes = [
    `${chosen.length} files`,
    ...(slowest.length === 0
      ? []
      : [`slowest: ${slowest.map(([file, seconds]) => `${file} ${seconds.toFixed(1)} s`).join(", ")}`]),
    ...(unchanged.length === 0
      ? []
      : [`passed before with all as it is now, and not run again (--rerun does): ${unchanged.sort().join(", ")}`]),
  ];
  return { ...sum(results), note: notes.join("; ") };
}

function readDurations(): Readonly<Record<string, number>> {
  try {
    return JSON.parse(readFileSync(DURATIONS, "utf8")) as Record<string, number>;
  } catch {
    return {};
  }
}

/** Of a file that never ran here: one that starts child processes takes long. */
function guessSeconds(file: string): number {
  if (file in LONGER_SECONDS) return 100;
  return /spawn|execFile|runCli|openLocalStore/.test(readFileSync(join(ROOT, file), "utf8")) ? 5 : 1;
}

/** uvu ends with `Total: n`, `Passed: n` and, apart from these, `Skipped: n`; a file that says nothing of the kind has failed. */
export function readTotals(file: string, child: ChildResult): StageResult {
  const output = stripColors(child.output);
  const count = (word: string) =>
    [...output.matchAll(new RegExp(`^\\s*${word}:\\s+(\\d+)`, "gm"))].map((match) => Number(match[1])).at(-1);
  const total = count("Total");
  const passed = count("Passed") ?? 0;
  const skipped = count("Skipped") ?? 0;
  if (child.timedOut) {
    const when = `stopped after ${child.seconds.toFixed(0)} s`;
    return failure(file, passed, `${output}\n${when}, ${nameHung(output)}`, 1);
  }
  if (total === undefined)
    return failure(file, 0, `${output}\nit printed no totals (does the file end with test.run()?)`, 1);
  const failed = total - passed;
  if (failed > 0 || child.code !== 0) return failure(file, passed, output, Math.max(1, failed), skipped);
  return { passed, failed: 0, skipped, failures: [] };
}

/** Each test says its name when it begins, see run-file.ts, and a mark when it ends. */
function nameHung(output: string): string {
  const name = [...output.matchAll(/^▸ (.*)$/gm)].at(-1)?.[1];
  if (name === undefined) return "before its first test";
  return `${/[•✘]$/.test(output.trimEnd()) ? "after" : "in"} "${name}"`;
}

function failure(name: string, passed: number, output: string, failed: number, skipped = 0): StageResult {
  return { passed, failed, skipped, failures: [{ name, output }] };
}

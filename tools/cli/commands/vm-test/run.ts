import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { CodedError } from "../../../../core/base/index.ts";
import {
  checkHost,
  defaultRunFolder,
  findLastRun,
  makeReportRun,
  REPORT_FILE,
  Reporter,
  readRunRecord,
  showSeconds,
  writeJunit,
  writeReport,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { showError } from "../../errors.ts";
import { openStore } from "../../store.ts";
import type { RunFlags } from "./index.ts";
import { type PreparedTest, prepareTest } from "./prepare.ts";

/** How a test ended. */
export interface TestOutcome {
  /** `unchanged`: it passed before, and nothing it depends on has changed since. */
  readonly kind: "passed" | "failed" | "unchanged";
  readonly seconds: number;
  /** Its records, when it ran. */
  readonly folder?: string;
  readonly error?: CodedError;
}

/** `floe vm-test run`: evaluate, build, boot, tell. A test that failed does not hide the others. */
export default async function run(this: CliContext, flags: RunFlags, ...names: string[]): Promise<void> {
  const direct = isDirect(flags);
  if (direct) checkHost(flags.platform === "aarch64-linux" ? "aarch64" : "x86_64", this.env["PATH"]);
  using store = openStore(flags);
  // All names first: a slip in the last one shall not come to light after the first one's minutes.
  const tests: PreparedTest[] = [];
  for (const name of names) {
    const begin = performance.now();
    const test = await prepareTest(this, flags, store, name);
    tests.push(test);
    if (!flags.quiet) this.say(`evaluated ${test.attribute} (${showSeconds((performance.now() - begin) / 1000)})`);
  }
  const { terminal, process } = this;
  // Two tests that draw on one terminal would draw over each other.
  const alone = direct || tests.length === 1;
  const reporterOf = (test: PreparedTest): Reporter =>
    new Reporter(
      {
        write: (text) => void (flags.quiet || process.stderr.write(text)),
        interactive: terminal.interactive && !flags.quiet && alone,
        color: terminal.color,
        columns: terminal.columns,
      },
      { verbose: flags.verbose, ...(alone ? {} : { label: test.name }) },
    );
  const folderOf = (test: PreparedTest): string => folderFor(this, flags, test);

  const outcomes: TestOutcome[] = [];
  if (direct) {
    const { runDirect } = await import("./run-direct.ts");
    for (const test of tests) {
      const reporter = reporterOf(test);
      const options = { context: this, store, flags, folder: folderOf(test), reporter };
      outcomes.push(await runDirect(test, options).finally(() => reporter.close()));
      tell(this, test, outcomes.at(-1) as TestOutcome);
    }
  } else {
    const { runBuilds } = await import("./run-builds.ts");
    outcomes.push(...(await runBuilds(tests, { context: this, store, flags, folderOf, reporterOf })));
    for (const [index, test] of tests.entries()) tell(this, test, outcomes[index] as TestOutcome);
  }
  report(this, flags, tests, outcomes);
  const failed = outcomes.filter(({ kind }) => kind === "failed").length;
  if (tests.length > 1) this.say(`${tests.length - failed} passed, ${failed} failed`);
  if (failed > 0) this.exitWith(1);
}

/** Whether tests run outside of the sandbox. */
export function isDirect({ direct, keep, accel }: RunFlags): boolean {
  return direct || keep || accel !== "auto";
}

/** Folder for the records of a test. */
export function folderFor({ cwd, env }: CliContext, { output }: RunFlags, { name }: PreparedTest): string {
  return output === undefined ? defaultRunFolder(name, new Date(), env) : resolve(cwd, output, name);
}

function tell(context: CliContext, { name }: PreparedTest, outcome: TestOutcome): void {
  const { kind, seconds, folder, error } = outcome;
  if (error !== undefined && !context.signal.aborted) {
    context.say(showError(error, { cwd: context.cwd, color: context.terminal.color }));
  }
  if (folder !== undefined) {
    const page = join(folder, REPORT_FILE);
    writeReport(page, [makeReportRun(readRunRecord(folder))]);
    context.say(`records: ${folder}`);
    context.say(`report: ${page}`);
  }
  // A test that was interrupted has neither passed nor failed.
  context.signal.throwIfAborted();
  context.print(kind === "unchanged" ? `passed ${name} (unchanged)` : `${kind} ${name} (${showSeconds(seconds)})`);
}

/** One page for all tests, beside the own one of each; of a test that did not run, the records of its last run. */
function report(
  context: CliContext,
  flags: RunFlags,
  tests: readonly PreparedTest[],
  outcomes: readonly TestOutcome[],
): void {
  if (tests.length < 2 && flags.junit === undefined) return;
  const folders = tests.flatMap(({ name }, index) => {
    const folder = outcomes[index]?.folder ?? findLastRun(defaultRunFolder(name, new Date(), context.env));
    return folder === undefined || !existsSync(folder) ? [] : [folder];
  });
  const runs = folders.map((folder) => makeReportRun(readRunRecord(folder)));
  if (flags.junit !== undefined) writeJunit(resolve(context.cwd, flags.junit), runs);
  const [first] = folders;
  if (tests.length < 2 || first === undefined) return;
  const file = flags.output === undefined ? join(first, "all.html") : resolve(context.cwd, flags.output, REPORT_FILE);
  writeReport(file, runs);
  context.say(`report of all: ${file}`);
}

import { existsSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import {
  EVENTS_FILE,
  checkHost,
  defaultRunFolder,
  findLastRun,
  makeReportRun,
  type ReportRun,
  REPORT_FILE,
  readRunRecord,
  showSeconds,
  writeJunit,
  writeReport,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { RunFlags } from "./index.ts";
import { type Attempt, isHostFault, judgeAttempt } from "./judge-attempt.ts";
import { makeReporter } from "./make-reporter.ts";
import { type PreparedTest, prepareTest } from "./prepare.ts";
import type { RunReporter, RunSummary, TestEnd } from "./reporters/reporter.ts";
import { selectTests } from "./select-tests.ts";

/** Exit code when no test failed, and some passed only when they were tried again. */
const FLAKY_EXIT_CODE = 3;
/** Exit code when no test failed by itself, and some could not be run to their ends on this host. */
const HOST_EXIT_CODE = 4;

/** `floe vm-test run`: evaluate, build, boot, tell. A test that failed does not hide the others. */
export default async function run(this: CliContext, flags: RunFlags, ...words: string[]): Promise<void> {
  if (isDirect(flags)) checkHost(flags.platform === "aarch64-linux" ? "aarch64" : "x86_64", this.env["PATH"]);
  if (flags.watch) {
    const { watch } = await import("./watch.ts");
    return watch(this, flags, words);
  }
  using store = openStore(flags);
  const names = await selectTests(this, flags, words);
  if (names.length === 0) this.say("no vmTests to run");
  // All names first: a slip in the last one shall not come to light after the first one's minutes.
  const tests: PreparedTest[] = [];
  for (const name of names) tests.push(await prepareAloud(this, flags, store, name));
  await runTests(this, flags, store, tests);
}

/** Evaluate a test, and say so. */
export async function prepareAloud(
  context: CliContext,
  flags: RunFlags,
  store: LocalStore,
  name: string,
): Promise<PreparedTest> {
  const begin = performance.now();
  const test = await prepareTest(context, flags, store, name);
  const seconds = (performance.now() - begin) / 1000;
  if (!flags.quiet) context.say(`evaluated ${test.attribute} (${showSeconds(seconds)})`);
  return test;
}

/** Run tests to their ends, and tell how they ended. */
export async function runTests(
  context: CliContext,
  flags: RunFlags,
  store: LocalStore,
  tests: readonly PreparedTest[],
): Promise<void> {
  const reporter = makeReporter(context, flags, tests.length > 1);
  const outcomes = new Outcomes(context, flags, reporter);
  const options = { context, store, flags, reporter, onEnd: outcomes.take };
  const begin = performance.now();
  try {
    if (tests.length > 0) {
      if (isDirect(flags)) await (await import("./run-direct.ts")).runDirect(tests, options);
      else await (await import("./run-builds.ts")).runBuilds(tests, options);
    }
    // A test that was interrupted has neither passed nor failed.
    context.signal.throwIfAborted();
    const page = report(context, flags, tests, outcomes);
    const seconds = (performance.now() - begin) / 1000;
    reporter.summary({ ...outcomes.count(), seconds, ...(page === undefined ? {} : { report: page }) });
  } finally {
    reporter.close();
  }
  if (flags.json) context.printJson(tests.map((test) => outcomes.describe(test)));
  const { failed, failedByHost, flaky } = outcomes.count();
  if (failed > failedByHost) context.exitWith(1);
  else if (failedByHost > 0) context.exitWith(HOST_EXIT_CODE);
  else if (flaky > 0) context.exitWith(FLAKY_EXIT_CODE);
}

/** Whether tests run outside of the sandbox. */
export function isDirect({ direct, keep, accel }: RunFlags): boolean {
  return direct || keep || accel !== "auto";
}

/** Folder for the records of a try of a test that begins now. */
export function folderFor({ cwd, env }: CliContext, flags: RunFlags, test: PreparedTest, attempt: number): string {
  const { output } = flags;
  const name = recordName(flags, test);
  const folder = output === undefined ? defaultRunFolder(name, new Date(), env) : resolve(cwd, output, name);
  if (attempt > 1) return `${folder}~${attempt}`;
  // What lies there tells of another run, and would be taken for tries of this one.
  for (let each = folder, n = 2; existsSync(join(each, EVENTS_FILE)); each = `${folder}~${n++}`)
    rmSync(each, { recursive: true, force: true });
  return folder;
}

/** The name that records of a test have. */
function recordName({ platform }: RunFlags, { name, manifest }: PreparedTest): string {
  return platform === undefined || platform === manifest.platforms[0] ? name : `${name}@${platform}`;
}

/** How the tests of a run end, told as it happens. */
class Outcomes {
  readonly #context: CliContext;
  readonly #flags: RunFlags;
  readonly #reporter: RunReporter;
  readonly #ends = new Map<string, TestEnd>();
  readonly #tries = new Map<string, readonly Attempt[]>();

  constructor(context: CliContext, flags: RunFlags, reporter: RunReporter) {
    this.#context = context;
    this.#flags = flags;
    this.#reporter = reporter;
  }

  /** Take how a try ended. @returns whether there is to be another one. */
  readonly take = (test: PreparedTest, attempt: Attempt): boolean => {
    const { number, seconds, folder, error } = attempt;
    const before = this.#tries.get(test.name) ?? [];
    const { isTriedAgain, ...judgement } = judgeAttempt(before, attempt, this.#flags.retry);
    this.#tries.set(test.name, [...before, attempt]);
    const folders = this.foldersOf(test);
    // The page of a try has those before it, too: what befell them is a part of how it ended.
    if (folder !== undefined) writeReport(join(folder, REPORT_FILE), folders.map(readRun));
    if (this.#context.signal.aborted) return false;
    const end: TestEnd = {
      ...{ test: test.name, attempt: number, ...judgement, isTriedAgain, seconds },
      hostFaults: before.filter(isHostFault),
      ...(folder === undefined ? {} : { folder, report: join(folder, REPORT_FILE) }),
      ...(error === undefined ? {} : { error }),
    };
    this.#ends.set(test.name, end);
    this.#reporter.ends(end);
    return isTriedAgain;
  };

  /** Records of all tries of a test. */
  foldersOf({ name }: PreparedTest): readonly string[] {
    return (this.#tries.get(name) ?? []).flatMap(({ folder }) => folder ?? []);
  }

  /** Whether a test was not run, since nothing it depends on has changed. */
  isUnchanged({ name }: PreparedTest): boolean {
    return this.#ends.get(name)?.outcome === "unchanged";
  }

  count(): Omit<RunSummary, "seconds"> {
    const ends = [...this.#ends.values()];
    const count = (wanted: TestEnd["outcome"], among = ends): number =>
      among.filter(({ outcome }) => outcome === wanted).length;
    return {
      passed: count("passed"),
      afterHostFault: count(
        "passed",
        ends.filter(({ hostFaults }) => hostFaults.length > 0),
      ),
      failed: count("failed"),
      failedByHost: count(
        "failed",
        ends.filter(({ ofHost }) => ofHost),
      ),
      flaky: count("flaky"),
      unchanged: count("unchanged"),
    };
  }

  /** What programs ask of a test that was run. */
  describe({ name }: PreparedTest): object {
    const { outcome, ofHost, attempt, seconds, folder, error, hostFaults = [] } = this.#ends.get(name) ?? {};
    // Under the names that lines of JSON have for them.
    const faults = hostFaults.map((each) => ({
      ...{ attempt: each.number, seconds: each.seconds, folder: each.folder },
      error: each.error?.message,
    }));
    return { name, outcome, ofHost, attempts: attempt, seconds, folder, error: error?.message, hostFaults: faults };
  }
}

function readRun(folder: string): ReportRun {
  return makeReportRun(readRunRecord(folder));
}

/**
 * One page for all tests, beside the own one of each; of a test that did not run, the records of its last run.
 *
 * @returns the page, when there is more than one test.
 */
function report(
  context: CliContext,
  flags: RunFlags,
  tests: readonly PreparedTest[],
  outcomes: Outcomes,
): string | undefined {
  if (tests.length < 2 && flags.junit === undefined) return undefined;
  const folders = tests.flatMap((test) => {
    const ran = outcomes.foldersOf(test);
    if (ran.length > 0 || !outcomes.isUnchanged(test)) return ran;
    const last = findLastRun(defaultRunFolder(recordName(flags, test), new Date(), context.env));
    return last === undefined ? [] : [last];
  });
  const runs = folders.filter((folder) => existsSync(folder)).map(readRun);
  if (flags.junit !== undefined) writeJunit(resolve(context.cwd, flags.junit), runs);
  const [first] = folders;
  if (tests.length < 2 || first === undefined) return undefined;
  const file = flags.output === undefined ? join(first, "all.html") : resolve(context.cwd, flags.output, REPORT_FILE);
  writeReport(file, runs);
  return file;
}

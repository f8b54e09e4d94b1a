import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import {
  Admission,
  defaultTemplateFolder,
  loadStory,
  MOST_ZYGOTES,
  needsOf,
  hostMemory,
  runAdmitted,
  runVmTest,
  type Script,
  sweepDefaultRuns,
  sweepRuns,
  TemplateStore,
  ZYGOTE_MIB,
  Zygotes,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { realise } from "../../realise.ts";
import { buildFlagsOf } from "./build-flags.ts";
import type { RunFlags } from "./index.ts";
import type { Attempt } from "./judge-attempt.ts";
import type { PreparedTest } from "./prepare.ts";
import type { RunReporter } from "./reporters/reporter.ts";
import { folderFor } from "./run.ts";

export interface RunDirectOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: RunFlags;
  readonly reporter: RunReporter;
  /** What is run in place of the test's own story. */
  readonly script?: Script;
  /** Told how each try ended. @returns whether there is to be another one. */
  readonly onEnd: (test: PreparedTest, attempt: Attempt) => boolean;
}

const MIB = 1024 * 1024;

/** Run tests in this process, beside everything else on this machine, and keep no result but their records. */
export async function runDirect(tests: readonly PreparedTest[], options: RunDirectOptions): Promise<void> {
  const { context, store, flags } = options;
  sweepDefaultRuns(context.env);
  if (flags.output !== undefined) sweepRuns(resolve(context.cwd, flags.output));
  await realise(
    tests.flatMap(({ targets }) => targets),
    { context, store, flags: buildFlagsOf(flags) },
  );
  const memoryBytes = flags.memoryBudget ?? hostMemory();
  const jobs = Math.max(1, flags.jobs ?? availableParallelism());
  const zygotes = flags.cold || !flags.fork ? undefined : new Zygotes();
  const reservedMiB = zygotes === undefined ? 0 : MOST_ZYGOTES * ZYGOTE_MIB;
  const admission = new Admission({ jobs, memoryMiB: memoryBytes / MIB - reservedMiB });
  const needs = ({ manifest }: PreparedTest) => needsOf(manifest.machines);
  try {
    await runAdmitted(tests, needs, admission, (test) => runUntilDone(test, { ...options, zygotes }));
  } finally {
    await zygotes?.close();
  }
}

interface RunOnceOptions extends RunDirectOptions {
  /** Of all tests of this run. */
  readonly zygotes: Zygotes | undefined;
}

async function runUntilDone(test: PreparedTest, options: RunOnceOptions): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    options.context.signal.throwIfAborted();
    if (!options.onEnd(test, await runOnce(test, attempt, options))) return;
  }
}

async function runOnce(test: PreparedTest, number: number, options: RunOnceOptions): Promise<Attempt> {
  const { context, store, flags, reporter, zygotes } = options;
  const { manifest } = test;
  const folder = folderFor(context, flags, test, number);
  reporter.begins(test.name, number);
  const story = await loadStory(manifest, context.cwd, test.edition);
  const templates = new TemplateStore(defaultTemplateFolder(context.env));
  const { ok, seconds, error } = await runVmTest({
    manifest,
    storyFile: story.file,
    script: options.script ?? story.script,
    allowConsole: story.allowConsole,
    realPath: (path) => store.realPath(path),
    folder,
    attempt: number,
    keep: flags.keep,
    trace: flags.trace,
    // As for builds, 0 is no limit.
    ...(flags.timeout === 0 ? {} : { timeoutSeconds: flags.timeout }),
    accelerator: flags.accel,
    ...(flags.cold ? {} : { templates: { storeOf: () => templates, ...(zygotes === undefined ? {} : { zygotes }) } }),
    signal: context.signal,
    onEntry: (file, entry) => reporter.entry(test.name, file, entry),
    log: () => {},
  });
  return { number, ok, unchanged: false, seconds, folder, ...(error === undefined ? {} : { error }) };
}

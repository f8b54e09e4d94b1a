import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import {
  defaultTemplateFolder,
  loadStory,
  type Reporter,
  runVmTest,
  type Script,
  TemplateStore,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { realise } from "../../realise.ts";
import type { RunFlags } from "./index.ts";
import type { PreparedTest } from "./prepare.ts";
import type { TestOutcome } from "./run.ts";

export interface RunDirectOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: RunFlags;
  readonly folder: string;
  readonly reporter: Reporter;
  /** What is run in place of the test's own story. */
  readonly script?: Script;
}

/** Run a test in this process, beside everything else on this machine, and keep no result but its records. */
export async function runDirect(test: PreparedTest, options: RunDirectOptions): Promise<TestOutcome> {
  const { context, store, flags, folder, reporter } = options;
  const { manifest } = test;
  await realise(test.targets, { context, store, flags });
  const story = await loadStory(manifest, context.cwd);
  const templates = new TemplateStore(defaultTemplateFolder(context.env));
  const { ok, seconds, error } = await runVmTest({
    manifest,
    storyFile: story.file,
    script: options.script ?? story.script,
    allowConsole: story.allowConsole,
    realPath: (path) => store.realPath(path),
    folder,
    keep: flags.keep,
    timeoutSeconds: flags.timeout,
    accelerator: flags.accel,
    ...(flags.cold ? {} : { templates: { storeOf: () => templates } }),
    signal: context.signal,
    log: reporter.log,
  });
  return { kind: ok ? "passed" : "failed", seconds, folder, ...(error === undefined ? {} : { error }) };
}

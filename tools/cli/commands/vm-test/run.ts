import { join, resolve } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import {
  checkHost,
  defaultRunFolder,
  makeReportRun,
  REPORT_FILE,
  Reporter,
  readRunRecord,
  type RunResult,
  runVmTest,
  showSeconds,
  writeJunit,
  writeReport,
} from "../../../../vm-tests/driver/index.ts";
import type { VmTestManifest } from "../../../../vm-tests/index.ts";
import type { CliContext } from "../../context.ts";
import { showError } from "../../errors.ts";
import { realise } from "../../realise.ts";
import { resolveInstallables } from "../../resolve.ts";
import { openStore } from "../../store.ts";
import type { RunFlags } from "./index.ts";
import { isVmTest, loadStory } from "./load-story.ts";

/** `floe vm-test run`: evaluate, build, boot, tell. One test after the other; a failed one does not hide the next. */
export default async function run(this: CliContext, flags: RunFlags, ...names: string[]): Promise<void> {
  checkHost(flags.platform === "aarch64-linux" ? "aarch64" : "x86_64", this.env["PATH"]);
  using store = openStore(flags);
  // All names first: a slip in the last one shall not come to light after the first one's minutes.
  const prepared: Prepared[] = [];
  for (const name of names) prepared.push(await prepare(this, flags, store, name));
  const failed: string[] = [];
  const records: string[] = [];
  for (const one of prepared) {
    const result = await runOne(this, flags, store, one);
    this.signal.throwIfAborted();
    records.push(result.folder);
    if (!result.ok) failed.push(one.name);
  }
  reportAll(this, flags, records);
  if (names.length > 1) this.say(`${names.length - failed.length} passed, ${failed.length} failed`);
  if (failed.length > 0) this.exitWith(1);
}

/** One page for all tests; a single one has its own. */
function reportAll(context: CliContext, flags: RunFlags, records: readonly string[]): void {
  if (records.length < 2 && flags.junit === undefined) return;
  const runs = records.map((folder) => makeReportRun(readRunRecord(folder)));
  if (flags.junit !== undefined) writeJunit(resolve(context.cwd, flags.junit), runs);
  if (records.length < 2) return;
  const file = flags.output === undefined ? `${records[0]}/all.html` : resolve(context.cwd, flags.output, REPORT_FILE);
  writeReport(file, runs);
  context.say(`report of all: ${file}`);
}

/** A test that was found and evaluated. */
interface Prepared {
  readonly name: string;
  readonly manifest: VmTestManifest;
  readonly targets: Parameters<typeof realise>[0];
}

async function prepare(context: CliContext, flags: RunFlags, store: LocalStore, name: string): Promise<Prepared> {
  const phases = new Phases(context, flags.quiet);
  const [resolved] = await resolveInstallables([installable(flags, name)], { context, store, flags }).catch(
    (error: unknown) => {
      throw explainPlatform(error, flags, name);
    },
  );
  const manifest = resolved?.value;
  if (resolved === undefined || !isVmTest(manifest)) {
    throw new CodedError("vm-test.not-a-test", `Cannot run "${name}": it is not a machine test`, {
      hint: "See all of them with: floe vm-test list",
    });
  }
  phases.done(`evaluated ${resolved.attribute ?? name}`);
  const { onHost = String } = resolved;
  return { name, manifest: { ...manifest, story: onHost(manifest.story) }, targets: resolved.targets };
}

async function runOne(
  context: CliContext,
  flags: RunFlags,
  store: LocalStore,
  { name, manifest, targets }: Prepared,
): Promise<RunResult> {
  const phases = new Phases(context, flags.quiet);
  await realise(targets, { context, store, flags });
  phases.done("images are there");
  const story = await loadStory(manifest, context.cwd);

  const { terminal, process } = context;
  const reporter = new Reporter(
    {
      write: (text) => void process.stderr.write(text),
      interactive: terminal.interactive && !flags.quiet,
      color: terminal.color,
      columns: terminal.columns,
    },
    { verbose: flags.verbose },
  );
  const folder =
    flags.output === undefined
      ? defaultRunFolder(name, new Date(), context.env)
      : resolve(context.cwd, flags.output, manifest.name);
  const result = await runVmTest({
    manifest,
    storyFile: story.file,
    script: story.script,
    allowConsole: story.allowConsole,
    realPath: (path) => store.realPath(path),
    folder,
    keep: flags.keep,
    timeoutSeconds: flags.timeout,
    accelerator: flags.accel,
    signal: context.signal,
    log: flags.quiet ? () => {} : reporter.log,
  });
  reporter.close();
  if (result.error !== undefined && !context.signal.aborted) {
    context.say(showError(result.error, { cwd: context.cwd, color: terminal.color }));
  }
  context.say(`records: ${result.folder}`);
  context.say(`report: ${join(result.folder, REPORT_FILE)}`);
  // A test that was interrupted has neither passed nor failed.
  context.signal.throwIfAborted();
  context.print(`${result.ok ? "passed" : "failed"} ${manifest.name} (${showSeconds(result.seconds)})`);
  return result;
}

/** `rollback` is `FLAKE#vmTests.rollback`; what has a `#` is taken as it is. A platform is a member of the test. */
function installable({ flake, platform }: RunFlags, name: string): string {
  const of = platform === undefined ? "" : `.on.${platform}`;
  if (name.includes("#")) return `${name}${of}`;
  return `${flake}#${name.startsWith("vmTests.") ? name : `vmTests.${name}`}${of}`;
}

/** A test that does not declare the platform looks to an evaluation like one that is not there. */
function explainPlatform(error: unknown, { platform }: RunFlags, name: string): unknown {
  if (platform === undefined || !(error instanceof CodedError) || error.code !== "flake.attribute-missing")
    return error;
  return new CodedError(
    "vm-test.no-platform",
    `Cannot run "${name}" on ${platform}: found no machine test of this name that declares the platform`,
    { hint: "`floe vm-test list` shows tests with their platforms; a story names them in `platforms`.", cause: error },
  );
}

/** Says what is finished and how long it took. */
class Phases {
  readonly #context: CliContext;
  readonly #quiet: boolean;
  #begin = performance.now();

  constructor(context: CliContext, quiet: boolean) {
    this.#context = context;
    this.#quiet = quiet;
  }

  done(what: string): void {
    const now = performance.now();
    if (!this.#quiet) this.#context.say(`${what} (${showSeconds((now - this.#begin) / 1000)})`);
    this.#begin = now;
  }
}

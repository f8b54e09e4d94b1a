import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import type { BuildEvent } from "../../../../core/build/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import {
  addTestDerivation,
  ERROR_FILE,
  appendEntry,
  LINES_FILE,
  type RunEvent,
  type RunResultEvent,
  RunFolder,
  type TestDerivation,
  TRACE_FILE,
  WireReader,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { realise, tryRealise } from "../../realise.ts";
import { buildFlagsOf } from "./build-flags.ts";
import type { RunFlags } from "./index.ts";
import type { Attempt } from "./judge-attempt.ts";
import type { PreparedTest } from "./prepare.ts";
import type { RunReporter } from "./reporters/reporter.ts";
import { errorOf, TemplateLogs } from "./template-logs.ts";
import { folderFor } from "./run.ts";

export interface RunBuildsOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: RunFlags;
  readonly reporter: RunReporter;
  /** Told how each try ended. @returns whether there is to be another one. */
  readonly onEnd: (test: PreparedTest, attempt: Attempt) => boolean;
}

/** A test with the build that it is. */
interface TestBuild {
  readonly test: PreparedTest;
  readonly made: TestDerivation;
}

/**
 * Run tests as builds: in the sandbox, as many at once as there may be jobs, and not at all where nothing has changed since they passed.
 *
 * @throws {CodedError} of an image that could not be built.
 */
export async function runBuilds(tests: readonly PreparedTest[], options: RunBuildsOptions): Promise<void> {
  const { context, store, flags } = options;
  await realise(
    tests.flatMap(({ targets }) => targets),
    { context, store, flags: buildFlagsOf(flags) },
  );
  let builds: TestBuild[] = [];
  for (const test of tests) {
    const { manifest, targets, flakeFolder } = test;
    const made = await addTestDerivation({
      store,
      manifest: flags.cold ? { ...manifest, boot: "cold" } : manifest,
      targets,
      storyFile: manifest.story,
      flakeFolder,
    });
    builds.push({ test, made });
  }
  for (let attempt = 1; builds.length > 0; attempt++) {
    const again = await buildOnce(builds, attempt, options);
    builds = builds.filter(({ test }) => again.has(test));
  }
}

/** @returns the tests that failed and are to be tried again. */
async function buildOnce(
  builds: readonly TestBuild[],
  attempt: number,
  options: RunBuildsOptions,
): Promise<ReadonlySet<PreparedTest>> {
  const { context, store, flags, onEnd } = options;
  const again = new Set<PreparedTest>();
  // Two names may stand for one build.
  const followers = Map.groupBy(
    builds.map(({ test, made }) => new Follower(test, made, attempt, options)),
    ({ drvPath }) => drvPath,
  );
  const settle = (drvPath: StorePath): void => {
    for (const follower of followers.get(drvPath) ?? []) {
      const ended = follower.end();
      if (ended !== undefined && onEnd(follower.test, ended)) again.add(follower.test);
    }
  };
  const errors = new Map<StorePath, CodedError>();
  const templates = new TemplateLogs(builds.flatMap(({ made }) => made.templates.map(({ drvPath }) => drvPath)));
  const report = await tryRealise(
    [...followers.keys()].map((drvPath) => ({ drvPath })),
    {
      context,
      store,
      flags: { ...buildFlagsOf(flags), timeout: flags.timeout, rebuild: flags.rerun, keepGoing: true },
      events: (event) => {
        templates.take(event);
        if (event.kind === "warning") context.say(event.message);
        if (!("drvPath" in event)) return;
        if (event.kind === "failed") errors.set(event.drvPath, event.error);
        for (const follower of followers.get(event.drvPath) ?? []) {
          follower.take(event);
          if (event.kind === "failed") follower.fail(event.error);
          if (event.kind === "dependency-failed") {
            follower.replay(templates.linesOf(event.because));
            follower.fail(errors.get(event.because) ?? missingInput(follower.test));
          }
        }
        if (["built", "failed", "dependency-failed"].includes(event.kind)) settle(event.drvPath);
      },
    },
  );
  for (const { drvPath, error } of report.failures)
    for (const follower of (drvPath === undefined ? undefined : followers.get(drvPath)) ?? []) follower.fail(error);
  for (const drvPath of followers.keys()) settle(drvPath);
  return again;
}

function missingInput({ name }: PreparedTest): CodedError {
  return new CodedError("build.dependency-failed", `Cannot run the test "${name}": what it needs could not be built`);
}

/** Follows the build of one test: makes its records of what the builder says, and shows what happens. */
class Follower {
  readonly test: PreparedTest;
  readonly #made: TestDerivation;
  readonly #number: number;
  readonly #options: RunBuildsOptions;
  readonly #wire: WireReader;
  #folder: string | undefined;
  #ended = false;
  #result: RunResultEvent | undefined;
  #error: CodedError | undefined;
  #elapsedMs = 0;

  constructor(test: PreparedTest, made: TestDerivation, number: number, options: RunBuildsOptions) {
    this.test = test;
    this.#made = made;
    this.#number = number;
    this.#wire = new WireReader(made.onHost);
    this.#options = options;
  }

  get drvPath(): StorePath {
    return this.#made.drvPath;
  }

  take(event: Extract<BuildEvent, { drvPath: StorePath }>): void {
    if (event.kind === "started") this.#begin();
    if (event.kind === "log-line") this.#takeLine(event.line);
    if (event.kind === "built" || event.kind === "failed") this.#elapsedMs = event.elapsedMs;
  }

  /** The build failed. What its story said about that comes first. */
  fail(error: CodedError): void {
    this.#error = (this.#result === undefined ? undefined : errorOf(this.#result)) ?? error;
  }

  /** The story was not told, since a template could not be made: what its build said is what happened. */
  replay(lines: readonly string[]): void {
    for (const line of lines) this.#takeLine(line);
  }

  /** How the build ended; told once. */
  end(): Attempt | undefined {
    if (this.#ended) return undefined;
    this.#ended = true;
    const [folder, error] = [this.#folder, this.#error];
    const seconds = this.#result?.seconds ?? this.#elapsedMs / 1000;
    return {
      number: this.#number,
      ok: error === undefined,
      unchanged: folder === undefined && error === undefined,
      seconds,
      ...(folder === undefined ? {} : { folder }),
      ...(error === undefined ? {} : { error }),
    };
  }

  #begin(): void {
    if (this.#folder !== undefined) return;
    const { context, flags, reporter } = this.#options;
    this.#folder = folderFor(context, flags, this.test, this.#number);
    new RunFolder(this.#folder);
    reporter.begins(this.test.name, this.#number);
  }

  /** The failure names places in the build's sources. */
  #content(file: string, bytes: Buffer): Buffer | string {
    return file === ERROR_FILE ? this.#made.onHost(bytes.toString("utf8")) : bytes;
  }

  #takeLine(line: string): void {
    this.#begin();
    const folder = this.#folder as string;
    const wire = this.#wire.read(line);
    if (wire === "more") return;
    if (wire === undefined) {
      // What a builder says to people: its own last words, when something is wrong with the driver itself.
      this.#tell("events.ndjson", { kind: "note", text: line });
      return;
    }
    const { file, entry, base64 } = wire;
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    if (base64 !== undefined) writeFileSync(join(folder, file), this.#content(file, Buffer.from(base64, "base64")));
    if (entry === undefined) return;
    if (basename(file) === TRACE_FILE && !this.#options.flags.trace) return;
    const event = entry as RunEvent;
    if (file === "events.ndjson" && event.kind === "result") this.#result = event;
    const attempt = this.#number === 1 ? {} : { attempt: this.#number };
    // The run that makes a template has a name of its own.
    const { name } = this.test;
    const known = file === "events.ndjson" && event.kind === "run" ? { ...event, name, folder, ...attempt } : entry;
    appendEntry(folder, file, known);
    this.#keepLine(join(folder, dirname(file)), basename(file), entry);
    this.#tell(file, known);
  }

  /** Console and journal as one reads them, too. */
  #keepLine(folder: string, file: string, entry: object): void {
    const { from, line } = entry as { from?: unknown; line?: unknown };
    if (file !== LINES_FILE || typeof line !== "string" || (from !== "console" && from !== "journal")) return;
    appendFileSync(join(folder, `${from}.log`), `${line}\n`);
  }

  #tell(file: string, entry: object): void {
    this.#options.reporter.entry(this.test.name, file, entry);
  }
}

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import type { BuildEvent } from "../../../../core/build/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import {
  addTestDerivation,
  ERROR_FILE,
  appendEntry,
  type Reporter,
  type RunEvent,
  type RunResultEvent,
  RunFolder,
  type TestDerivation,
  WireReader,
} from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { realise, tryRealise } from "../../realise.ts";
import type { RunFlags } from "./index.ts";
import type { PreparedTest } from "./prepare.ts";
import type { TestOutcome } from "./run.ts";

export interface RunBuildsOptions {
  readonly context: CliContext;
  readonly store: LocalStore;
  readonly flags: RunFlags;
  /** Folder for the records of a test. */
  readonly folderOf: (test: PreparedTest) => string;
  readonly reporterOf: (test: PreparedTest) => Reporter;
}

/**
 * Run tests as builds: in the sandbox, as many at once as there may be jobs, and not at all where nothing has changed since they passed.
 *
 * @returns outcomes in the order of the tests.
 * @throws {CodedError} of an image that could not be built.
 */
export async function runBuilds(tests: readonly PreparedTest[], options: RunBuildsOptions): Promise<TestOutcome[]> {
  const { context, store, flags } = options;
  // The limit is one for stories.
  const { timeout: _, ...imageFlags } = flags;
  await realise(
    tests.flatMap(({ targets }) => targets),
    { context, store, flags: { ...imageFlags, rebuild: false } },
  );
  const followers = new Map<StorePath, Follower>();
  const drvPaths: StorePath[] = [];
  for (const test of tests) {
    const { manifest, targets, flakeFolder } = test;
    const made = await addTestDerivation({
      store,
      manifest: flags.cold ? { ...manifest, boot: "cold" } : manifest,
      targets,
      storyFile: manifest.story,
      flakeFolder,
    });
    drvPaths.push(made.drvPath);
    followers.set(made.drvPath, new Follower(test, made, options));
  }
  const report = await tryRealise(
    drvPaths.map((drvPath) => ({ drvPath })),
    {
      context,
      store,
      flags: { ...flags, rebuild: flags.rerun, keepGoing: true },
      events: (event) => {
        if ("drvPath" in event) followers.get(event.drvPath)?.take(event);
        else if (event.kind === "warning") context.say(event.message);
      },
    },
  );
  for (const { drvPath, error } of report.failures) if (drvPath !== undefined) followers.get(drvPath)?.fail(error);
  return drvPaths.map((drvPath) => (followers.get(drvPath) as Follower).outcome());
}

/** Follows the build of one test: makes its records of what the builder says, and shows what happens. */
class Follower {
  readonly #test: PreparedTest;
  readonly #made: TestDerivation;
  readonly #options: RunBuildsOptions;
  readonly #wire: WireReader;
  #folder: string | undefined;
  #reporter: Reporter | undefined;
  #result: RunResultEvent | undefined;
  #error: CodedError | undefined;
  #elapsedMs = 0;

  constructor(test: PreparedTest, made: TestDerivation, options: RunBuildsOptions) {
    this.#test = test;
    this.#made = made;
    this.#wire = new WireReader(made.onHost);
    this.#options = options;
  }

  take(event: Extract<BuildEvent, { drvPath: StorePath }>): void {
    if (event.kind === "started") this.#begin();
    if (event.kind === "log-line") this.#takeLine(event.line);
    if (event.kind === "built" || event.kind === "failed") this.#elapsedMs = event.elapsedMs;
  }

  /** The build failed. What its story said about that comes first. */
  fail(error: CodedError): void {
    const { error: message, failure } = this.#result ?? {};
    if (message === undefined || failure === undefined) {
      this.#error = error;
      return;
    }
    const { code, hint, at, details } = failure;
    this.#error = new CodedError(code, message, { hint, at, details });
  }

  outcome(): TestOutcome {
    this.#reporter?.close();
    const folder = this.#folder;
    if (folder === undefined && this.#error === undefined) return { kind: "unchanged", seconds: 0 };
    const seconds = this.#result?.seconds ?? this.#elapsedMs / 1000;
    const common = { seconds, ...(folder === undefined ? {} : { folder }) };
    return this.#error === undefined
      ? { kind: "passed", ...common }
      : { kind: "failed", ...common, error: this.#error };
  }

  #begin(): void {
    if (this.#folder !== undefined) return;
    this.#folder = this.#options.folderOf(this.#test);
    new RunFolder(this.#folder);
    this.#reporter = this.#options.reporterOf(this.#test);
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
      this.#reporter?.log({ kind: "note", text: line });
      return;
    }
    const { file, entry, base64 } = wire;
    mkdirSync(join(folder, dirname(file)), { recursive: true });
    if (base64 !== undefined) writeFileSync(join(folder, file), this.#content(file, Buffer.from(base64, "base64")));
    if (entry === undefined) return;
    appendEntry(folder, file, entry);
    if (file !== "events.ndjson") return;
    const event = entry as RunEvent;
    if (event.kind === "result") this.#result = event;
    this.#reporter?.log(event.kind === "run" ? { ...event, folder } : event);
  }
}

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../../core/base/index.ts";
import type { MachineManifest } from "../../manifest.ts";
import type { Machine } from "../../machine.ts";
import { isInfrastructure } from "../failure-kind.ts";
import { type RunResult, runVmTest, type Script } from "../run.ts";
import type { RunEvent } from "../run-log.ts";
import { defaultTemplateFolder, TemplateStore } from "../template-store.ts";
import type { Zygotes } from "../zygotes.ts";

const FILE = process.env["FLOE_PROOF_MACHINE"];

if (FILE === undefined) console.log("skipped what needs a machine: `npm test -- --only proof` builds one");

/** The machine, small: what uses up its memory shall not take long. */
const MACHINE =
  FILE === undefined ? undefined : { ...(JSON.parse(readFileSync(FILE, "utf8")) as MachineManifest), memoryMiB: 512 };

/** A test on a machine that has to hold on every platform: of what goes on in a guest, or between it and the driver. */
export const proof = MACHINE === undefined ? test.skip : test;

/** A test on a machine of what the driver and its host do, whatever the guest is: one platform proves it for all. */
export const proofOfHost = process.env["FLOE_PROOF_PART"] === "guest" ? test.skip : proof;

/** @returns the machine that these tests are for. */
export function theMachine(): MachineManifest {
  if (MACHINE === undefined) throw new Error("there is no machine to test with");
  return MACHINE;
}

const folder = mkdtempSync(join(tmpdir(), "floe-proof-run-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** An empty folder that is gone after the tests. */
export function temporaryFolder(): string {
  return mkdtempSync(join(folder, "f-"));
}

/** Where templates are: with all others, so that a machine that did not change boots for none of these tests. */
export const templates = new TemplateStore(defaultTemplateFolder(process.env));

export interface StoryOptions {
  /** What is different with the machine. */
  readonly changes?: Partial<MachineManifest>;
  /** Machines by name, in place of the one that is called `machine`. */
  readonly machines?: Readonly<Record<string, MachineManifest>>;
  readonly cold?: boolean;
  readonly allowConsole?: readonly RegExp[];
  readonly timeoutSeconds?: number;
  readonly folder?: string;
  /** Where copies are forked from one another. Default: each is made from its template. */
  readonly zygotes?: Zygotes;
  /** Interrupts the run. */
  readonly signal?: AbortSignal;
  /** It is to be ended by a fault of the host. */
  readonly hostFault?: boolean;
}

export interface StoryRun extends RunResult {
  readonly events: readonly RunEvent[];
}

/** What a script here gets: the machine, and what else runs get. */
export type Tools = Parameters<Script>[0] & { readonly machine: Machine };

/** Run a story whose file is the test's; once more when this host has ended it, and nobody waits for that. */
export async function runStory(
  storyFile: string,
  script: (tools: Tools) => Promise<void>,
  options: StoryOptions = {},
): Promise<StoryRun> {
  const run = await runOnce(storyFile, script, options);
  if (options.hostFault === true || !isInfrastructure(run.error?.code ?? "")) return run;
  console.log(`a fault of the host: ${run.error?.message}; running it again, once`);
  return runOnce(storyFile, script, options);
}

async function runOnce(
  storyFile: string,
  script: (tools: Tools) => Promise<void>,
  options: StoryOptions,
): Promise<StoryRun> {
  const { changes = {}, machines = { machine: { ...theMachine(), ...changes } }, cold = false } = options;
  const { allowConsole, timeoutSeconds, zygotes, signal } = options;
  const events: RunEvent[] = [];
  const result = await runVmTest({
    manifest: {
      type: "vmTest",
      name: "proof",
      description: "",
      story: "",
      platforms: [],
      tags: [],
      machines,
      programs: { node: "", path: [] },
      ...(cold ? { boot: "cold" } : {}),
    },
    storyFile,
    script: script as Script,
    realPath: (path) => path,
    folder: options.folder ?? temporaryFolder(),
    templates: { storeOf: () => templates, ...(zygotes === undefined ? {} : { zygotes }) },
    log: (event) => events.push(event),
    ...(allowConsole === undefined ? {} : { allowConsole }),
    ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
    ...(signal === undefined ? {} : { signal }),
  });
  return { ...result, events };
}

/** Run a story that has to pass. */
export async function passStory(...words: Parameters<typeof runStory>): Promise<StoryRun> {
  const run = await runStory(...words);
  if (run.error !== undefined) throw run.error;
  return run;
}

/** Run a story that has to fail, at the line of its file that says so: `// here`. */
export async function failStory(
  storyFile: string,
  script: (tools: Tools) => Promise<void>,
  options?: StoryOptions,
): Promise<{ readonly error: CodedError; readonly run: StoryRun }> {
  const run = await runStory(storyFile, script, options);
  const { error } = run;
  assert.is(run.ok, false, "it should have failed");
  if (error === undefined) throw new Error("it failed without an error");
  assert.is(error.at?.file, storyFile, `${error.code}: ${error.message}`);
  const line = readFileSync(storyFile, "utf8").split("\n")[(error.at?.line ?? 0) - 1] ?? "";
  assert.match(line, /\/\/ here$/, `${error.message} at line ${error.at?.line}: ${line}`);
  // The first line is all that many people read.
  assert.not.match(error.message, /\n/);
  return { error, run };
}

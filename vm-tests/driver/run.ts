import { hash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  type Accelerator,
  type Architecture,
  chooseAccelerator,
  chooseCloningMethod,
  chooseForking,
  type CloningMethod,
  getProgram,
  type Nic,
  qemuProgram,
  programIdentity,
} from "qemu-wrapper";
import { CodedError, didYouMean, formatLocation, type SourceLocation } from "../../core/base/index.ts";
import type { Machine, StoryTools } from "../machine.ts";
import type { MachineManifest, VmTestManifest } from "../manifest.ts";
import { storyAssert } from "./assert.ts";
import { StoryNetworks } from "./story-networks.ts";
import { callSite, fromQemu, withPlace } from "./call-site.ts";
import { showCommand } from "./commands.ts";
import { GuestMachine } from "./guest-machine.ts";
import { type KeptMachine, MachineHost } from "./machine-host.ts";
import { ERROR_FILE, RunFolder } from "./run-folder.ts";
import { ownDisks, removeDisks } from "./run-owner.ts";
import type { RunLog, RunResultEvent } from "./run-log.ts";
import type { Templates } from "./template.ts";
import type { TemplateHolder } from "./template-store.ts";
import type { Zygotes } from "./zygotes.ts";

/** A story's script, called with its machines by name and {@link StoryTools}. */
export type Script = (tools: StoryTools & Readonly<Record<string, Machine>>) => Promise<void>;

export interface RunOptions {
  readonly manifest: VmTestManifest;
  /** Absolute path of the story's file, for places in errors and relative host paths. */
  readonly storyFile: string;
  readonly script: Script;
  /** Lines of the console that are no reason to fail, beyond a story's own. */
  readonly allowConsole?: readonly RegExp[];
  /** Where a store path lies on this host. */
  readonly realPath: (storePath: string) => string;
  /** Folder that receives the records. */
  readonly folder: string;
  /** Which try of the test it is. Default: 1. */
  readonly attempt?: number;
  /** Told every record, as {@link RunFolder} is. */
  readonly onEntry?: (file: string, entry: object) => void;
  /** Record also what is said to QEMU and to the agents. */
  readonly trace?: boolean;
  /** Keep the machines' disks. */
  readonly keep?: boolean;
  /** Wall time after which the whole run is given up, in seconds. */
  readonly timeoutSeconds?: number;
  readonly accelerator?: "auto" | Accelerator;
  /** Where machines that were booted before are kept, for copies of them. Without it all machines boot. */
  readonly templates?: RunTemplates;
  readonly signal?: AbortSignal;
  readonly log: RunLog;
}

/** How machines of a run are copied. */
export interface RunTemplates {
  /** Keeps the template of a machine. */
  storeOf(machine: string): TemplateHolder;
  /** Default: the best that works here, which is found out. */
  readonly method?: CloningMethod;
  /** Where copies are forked from one another; whoever gives them closes them. Default: each is made from its template. */
  readonly zygotes?: Zygotes;
}

/** How a run ended. */
export interface RunResult {
  readonly ok: boolean;
  readonly seconds: number;
  readonly folder: string;
  readonly error?: CodedError;
}

/** Run one machine test to its end. Whatever happens, no QEMU is left. */
export async function runVmTest(options: RunOptions): Promise<RunResult> {
  const { manifest } = options;
  const begin = performance.now();
  const folder = new RunFolder(options.folder, options.onEntry);
  const log: RunLog = (event) => {
    folder.record("events.ndjson", event);
    options.log(event);
  };
  const hosts: MachineHost[] = [];
  const steps: OpenStep[] = [];
  let networks: StoryNetworks | undefined;
  let error: CodedError | undefined;
  try {
    // Disks that are not said to be anybody's would stay when this process is killed.
    if (options.keep !== true) folder.keep(() => ownDisks(options.folder));
    checkRecords(folder);
    // All machines of a test are of one platform.
    const { architecture = "x86_64" } = Object.values(manifest.machines)[0] ?? {};
    const wanted = options.accelerator ?? "auto";
    const { accelerator, reason } = await chooseAccelerator({ wanted, architecture });
    const [story, systems] = [digestOf(options.storyFile), systemsOf(manifest)];
    const { attempt = 1 } = options;
    const which = { platform: `${architecture}-linux`, ...(attempt === 1 ? {} : { attempt }) };
    log({ kind: "run", name: manifest.name, accelerator, reason, folder: options.folder, ...which, story, systems });
    const opened = await StoryNetworks.open({ machines: manifest.machines, folder: folder.path, log });
    networks = opened;
    const templates = await openTemplates(options, architecture, accelerator);
    const makeHost = (name: string, machine: MachineManifest, from?: KeptMachine): MachineHost => {
      const host = new MachineHost({
        name,
        manifest: machine,
        nics: from === undefined ? opened.nicsOf({ name, ...machine }) : unconnected(machine),
        accelerator,
        mayFallBack: wanted === "auto",
        log,
        folder: folder.machine(name),
        record: (file, entry) => folder.record(join(name, file), entry),
        keep: (write) => folder.keep(write),
        trace: options.trace,
        storyFolder: dirname(options.storyFile),
        realPath: options.realPath,
        fork: (fork, checkpoint) => makeHost(fork, machine, checkpoint),
        alike: Object.values(manifest.machines).filter((each) => isDeepStrictEqual(each, machine)).length,
        ...(templates === undefined ? {} : { templates: templates(name) }),
        ...(from === undefined ? {} : { from }),
      });
      hosts.push(host);
      return host;
    };
    for (const [name, machine] of Object.entries(manifest.machines)) makeHost(name, machine);
    const machines = Object.fromEntries(hosts.map((host) => [host.name, new GuestMachine(host)]));
    const tools = { ...opened.forStory(log), ...makeTools(log, steps) };
    const standing = (): Standing | undefined => whereStands(hosts, steps);
    const script = options.script(namesAlone({ ...machines, ...tools }) as Parameters<Script>[0]);
    await endInTime(script, options, standing);
    for (const host of hosts) host.calls.checkAwaited();
    checkTroubles(hosts, options.allowConsole ?? []);
    checkRecords(folder);
  } catch (caught) {
    const explained = explain(caught, steps, hosts, options.storyFile);
    const text = `${[explained.message, ...(explained.details ?? [])].join("\n")}\n`;
    folder.keep(() => writeFileSync(join(options.folder, ERROR_FILE), text));
    error = explained;
  } finally {
    for (const host of hosts) await host.dispose();
    if (options.keep !== true) removeDisks(options.folder);
  }
  await networks?.close();
  const seconds = (performance.now() - begin) / 1000;
  log({ kind: "result", ok: error === undefined, seconds, ...(error === undefined ? {} : showFailure(error)) });
  return { ok: error === undefined, seconds, folder: options.folder, ...(error === undefined ? {} : { error }) };
}

function showFailure({ code, message, hint, at, details }: CodedError): Pick<RunResultEvent, "error" | "failure"> {
  return { error: message, failure: { code, hint, at, details } };
}

/** Cards of a fork: the ones it had, with cables that lead nowhere, since the ports of its networks have their machine already. */
function unconnected({ nics = [] }: MachineManifest): Nic[] {
  return nics.map(({ network, mac }) => ({ id: network, mac, backend: { kind: "user", restricted: true } }));
}

/** How machines of this run are copied, by their names; `undefined` when they are not. */
async function openTemplates(
  { manifest, templates, log }: RunOptions,
  architecture: Architecture,
  accelerator: Accelerator,
): Promise<((machine: string) => Templates) | undefined> {
  if (templates === undefined || manifest.boot === "cold") return undefined;
  const { method, reason } =
    templates.method === undefined
      ? await chooseCloningMethod({ architecture, accelerator })
      : { method: templates.method, reason: "" };
  const qemu = programIdentity(getProgram(qemuProgram(architecture)));
  const { zygotes } = templates;
  const { library } = zygotes === undefined ? {} : await chooseForking({ architecture, accelerator });
  const forks = zygotes === undefined || library === undefined ? {} : { forks: { zygotes, library } };
  if (method !== undefined) return (machine) => ({ store: templates.storeOf(machine), method, qemu, ...forks });
  log({ kind: "note", text: `machines cannot be copied here, so each of them boots: ${reason}` });
  return undefined;
}

/** The digest of a story's file, by which a report tells whether it is as it was. */
function digestOf(file: string): string {
  return existsSync(file) ? hash("sha256", readFileSync(file)) : "";
}

function systemsOf(manifest: VmTestManifest): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(manifest.machines).flatMap(([machine, { generations }]) =>
      Object.entries(generations).map(([name, { toplevel }]) => [`${machine}, ${name}`, toplevel]),
    ),
  );
}

/** A step that has not come to its end. */
interface OpenStep {
  readonly name: string;
  readonly at: SourceLocation | undefined;
}

/** Where a story stands. */
interface Standing {
  /** Completes "still waits for …". */
  readonly what: string;
  readonly at: SourceLocation | undefined;
}

/** What a story asked for and waits for still; else its innermost step. */
function whereStands(hosts: readonly MachineHost[], steps: readonly OpenStep[]): Standing | undefined {
  for (const { name, calls } of hosts) {
    const { pending } = calls;
    if (pending !== undefined) return { what: `"${showCommand(pending.what)}" on "${name}"`, at: pending.at };
  }
  const step = steps.at(-1);
  return step === undefined ? undefined : { what: `the step "${step.name}"`, at: step.at };
}

function makeTools(log: RunLog, steps: OpenStep[]): StoryTools {
  return {
    assert: storyAssert,
    note: (text) => log({ kind: "note", text }),
    breakpoint: async () => {},
    async step(name, body) {
      const at = callSite();
      const begin = performance.now();
      const depth = steps.length;
      const end = (ok: boolean): void =>
        log({ kind: "step-end", name, depth, ok, seconds: (performance.now() - begin) / 1000 });
      log({ kind: "step-begin", name, depth });
      steps.push({ name, at });
      try {
        const value = await body();
        steps.pop();
        end(true);
        return value;
      } catch (error) {
        // The names stay on the list: they say where the story stood when it failed.
        end(false);
        throw withPlace(error, at);
      }
    },
  };
}

/**
 * A name that the story does not declare is an error where it is taken, and not where something is first asked of it.
 *
 * @throws {CodedError} `story.unknown-name` from what it gives.
 */
function namesAlone<Tools extends object>(tools: Tools): Tools {
  return new Proxy(tools, {
    get(known, name) {
      // Whoever awaits the tools, or shows them, asks for these.
      if (typeof name === "symbol" || name in known || ["then", "toJSON"].includes(name))
        return Reflect.get(known, name);
      const names = Object.keys(known);
      throw new CodedError("story.unknown-name", `Cannot find "${name}": the story has ${names.join(", ")}`, {
        at: callSite(),
        hint: didYouMean(name, names) ?? "Declare it among the story's machines or networks.",
      });
    },
  });
}

/** The script, or the end of its time, or an interruption. */
async function endInTime(
  script: Promise<void>,
  options: RunOptions,
  standing: () => Standing | undefined,
): Promise<void> {
  let stop = (): void => {};
  const end = new Promise<never>((_resolve, reject) => {
    const { timeoutSeconds, signal } = options;
    const timer =
      timeoutSeconds === undefined
        ? undefined
        : setTimeout(() => {
            const { what, at } = standing() ?? { what: "its script", at: undefined };
            const message = `Cannot finish the test "${options.manifest.name}": after ${timeoutSeconds} s it still waits for ${what}`;
            const hint = "Give a wait a deadline of its own with within(SECONDS), or the test more with --timeout.";
            reject(new CodedError("vm-test.timeout", message, { at, hint }));
          }, timeoutSeconds * 1000);
    const abort = (): void => reject(signal?.reason);
    if (signal?.aborted === true) abort();
    signal?.addEventListener("abort", abort, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    };
  });
  try {
    await Promise.race([script, end]);
  } finally {
    stop();
    // What the script still awaits fails once its machines are gone; that is not news any more.
    script.catch(() => {});
  }
}

/**
 * See that no kernel complained although the story went well.
 *
 * @throws {CodedError} of the first complaint's class (`machine.segfault`), at the line of the story that was waiting then.
 */
export function checkTroubles(
  hosts: readonly Pick<MachineHost, "name" | "troubles">[],
  allowed: readonly RegExp[],
): void {
  for (const host of hosts) {
    const [first, ...rest] = host.troubles().filter(({ line }) => !allowed.some((pattern) => pattern.test(line)));
    if (first === undefined) continue;
    const { code, line, at } = first;
    throw new CodedError(code, `Cannot pass the test: "${host.name}" shows a fault: ${line}`, {
      at,
      details: rest.map((other) => other.line),
      hint: "Name it in the story's allowConsole when it belongs there.",
    });
  }
}

/** @throws {CodedError} `vm-test.records-full` when something that happened is not on record. */
function checkRecords({ path, full }: RunFolder): void {
  if (!full) return;
  throw new CodedError(
    "vm-test.records-full",
    `Cannot keep the records of the test in "${path}": there is no room left`,
    {
      hint: "Make room there, or name another place with --output.",
    },
  );
}

/** One error that holds what a reader needs: the cause first, then the step, the place, and the machines' last words. */
function explain(
  caught: unknown,
  steps: readonly OpenStep[],
  hosts: readonly MachineHost[],
  storyFile: string,
): CodedError {
  const error = toCodedError(caught, storyFile);
  const where = [
    ...(steps.length === 0 ? [] : [`step: ${steps.map(({ name }) => name).join(" › ")}`]),
    ...(error.at === undefined ? [] : [`story: ${formatLocation(error.at)}`]),
  ];
  const machines = hosts.flatMap((host) =>
    host.lastBoot === undefined ? [] : [`machine "${host.name}":`, ...host.lastBoot.lastWords()],
  );
  return new CodedError(error.code, error.message, {
    hint: error.hint,
    at: error.at,
    cause: error.cause,
    exitCode: error.exitCode,
    details: [...(error.details ?? []), ...where, ...machines],
  });
}

function toCodedError(caught: unknown, storyFile: string): CodedError {
  const error = fromQemu(caught);
  if (error instanceof CodedError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const at = error instanceof Error ? placeIn(error, storyFile) : undefined;
  const [code, hint] =
    (error as NodeJS.ErrnoException | undefined)?.code === "ENOSPC"
      ? ["machine.host-disk-full", "Make room there, or name another place for the records of runs with --output."]
      : ["story.threw", "The records have all that the story asked for, and what its machines said."];
  return new CodedError(code, `Cannot go on with the story: ${message}`, { at, hint, cause: error });
}

function placeIn(error: Error, storyFile: string): SourceLocation | undefined {
  const lines = (error.stack ?? "").split("\n").filter((line) => line.includes(storyFile));
  return callSite(lines.join("\n"));
}

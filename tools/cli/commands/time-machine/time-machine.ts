import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { type FlakeReference, formatReference, LOCK_FILE_NAME, parseReference } from "../../../../core/flake/index.ts";
import { openAccess } from "../../../../core/host/fetch/access.ts";
import { makeScratch } from "../../../../core/host/files/index.ts";
import { findCheckoutRoot, fileAtRevision, localRevision, revisionAt } from "../../../../core/host/git/index.ts";
import { type RecordedSource, SOURCES_FILE, tryParseSources } from "../../../../core/system/switch/index.ts";
import type { CliContext } from "../../context.ts";
import { openForCommand, type Opened } from "../flake/open.ts";
import { runOnTerminal } from "../run/run.ts";
import { placeTool } from "./place-tool.ts";
import type { TimeMachineFlags } from "./index.ts";

/** `floe time-machine`: a command with the inputs, and by the Floe, of another time. */
export default async function timeMachine(
  this: CliContext,
  flags: TimeMachineFlags,
  ...words: string[]
): Promise<void> {
  const chosen = [flags.date, flags.rev, flags.sources].filter((each) => each !== undefined);
  if (chosen.length > 1 || (chosen.length === 0 && flags.tool === undefined)) {
    throw new CodedError(
      "time-machine.no-time",
      `Cannot travel: found ${chosen.length === 0 ? "no time" : `${chosen.length} times`}, expected one of --date, --rev and --sources, or --tool`,
      { hint: "Write: floe time-machine --date 2026-11-01 -- build ." },
    );
  }
  const seconds = flags.date === undefined ? undefined : parseDate(flags.date);
  const folder = makeScratch("time");
  try {
    const more = chosen.length === 0 ? [] : await inputsThen(this, flags, seconds, folder);
    const program = flags.tool === undefined ? ownProgram() : await toolThen(this, flags, flags.tool, seconds);
    // Where sources were put, the command looks for them.
    const store = flags.store === undefined || words.includes("--store") ? [] : ["--store", flags.store];
    this.exitWith(await runOnTerminal([...program, ...withFlags(words, [...store, ...more])]));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Flags that put inputs of another time in the place of those that are locked. */
async function inputsThen(
  context: CliContext,
  flags: TimeMachineFlags,
  seconds: number | undefined,
  folder: string,
): Promise<string[]> {
  using opened = await openForCommand(context, flags);
  if (flags.rev !== undefined) {
    const file = join(folder, LOCK_FILE_NAME);
    writeFileSync(file, await lockAt(opened, flags.rev));
    return ["--reference-lock-file", file, "--no-write-lock-file"];
  }
  const found =
    seconds === undefined
      ? sourcesThen(opened, resolve(context.cwd, flags.sources as string))
      : await revisionsThen(context, opened, seconds);
  for (const [name, reference] of found) context.say(`${name}: ${reference}`);
  return found.flatMap(([name, reference]) => ["--override-input", name, reference]);
}

type Found = readonly (readonly [input: string, reference: string])[];

async function revisionsThen(context: CliContext, { flake }: Opened, seconds: number): Promise<Found> {
  const { inputs, nodes } = await flake.resolveInputs();
  const access = openAccess();
  const found = await Promise.all(
    Object.entries(inputs).map(async ([name, id]) => {
      const original = nodes.get(id)?.original;
      const reference = original === undefined ? undefined : parseReference(original);
      if (reference?.kind !== "git") return [];
      const rev = await revisionAt(reference, { seconds, access, signal: context.signal });
      return rev === undefined ? [] : [[name, atRevision(reference, rev)] as const];
    }),
  );
  return found.flat();
}

/** The same repository at a commit. */
function atRevision(reference: FlakeReference & { kind: "git" }, rev: string): string {
  const { semver: _, narHash: __, lastModified: ___, ...rest } = reference;
  return formatReference({ ...rest, rev });
}

function sourcesThen({ flake }: Opened, path: string): Found {
  const file = existsSync(path) && statSync(path).isDirectory() ? join(path, SOURCES_FILE) : path;
  const sources = existsSync(file) ? tryParseSources(readFileSync(file, "utf8")) : undefined;
  if (sources === undefined) {
    throw new CodedError(
      "time-machine.no-sources",
      `Cannot read of what "${path}" was made: found no ${SOURCES_FILE} of version 1`,
      { hint: "Systems have one when their flake says so: makeSystem({ …, inputs })." },
    );
  }
  const declared = Object.keys(flake.lock.nodes[flake.lock.root]?.inputs ?? {});
  return declared.flatMap((name) => {
    const source = Object.hasOwn(sources, name) ? sources[name] : undefined;
    return source === undefined ? [] : [[name, referenceTo(source)] as const];
  });
}

function referenceTo({ type, url, rev, ref, narHash, lastModified }: RecordedSource): string {
  const query = Object.entries({ ref: type === "git" ? ref : undefined, rev, narHash, lastModified }).flatMap(
    ([name, value]) => (value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]),
  );
  const address = `${type}+${url}`;
  return query.length === 0 ? address : `${address}${address.includes("?") ? "&" : "?"}${query.join("&")}`;
}

/** The lock of the flake in a commit of its repository. */
async function lockAt({ flake }: Opened, word: string): Promise<string> {
  const root = findCheckoutRoot(flake.directory);
  if (root === undefined) {
    throw new CodedError(
      "time-machine.no-repository",
      `Cannot find the lock of "${word}": "${flake.directory}" lies in no repository of git`,
      { hint: "Name a day instead: --date 2026-11-01" },
    );
  }
  const path = join(relative(root, flake.directory), LOCK_FILE_NAME);
  const rev = await localRevision(root, word);
  const text = await fileAtRevision(root, rev, path);
  if (text !== undefined) return text;
  throw new CodedError("time-machine.no-lock", `Cannot find the lock of "${word}": commit ${rev} has no ${path}`, {
    hint: "Name a later commit, or a day: --date 2026-11-01",
  });
}

async function toolThen(
  context: CliContext,
  flags: TimeMachineFlags,
  tool: string,
  seconds: number | undefined,
): Promise<readonly string[]> {
  const reference = seconds === undefined || /^[./~]/.test(tool) ? undefined : parseReference(tool);
  const rev =
    reference?.kind === "git" && seconds !== undefined
      ? await revisionAt(reference, { seconds, access: openAccess(), signal: context.signal })
      : undefined;
  return placeTool(context, flags, reference?.kind === "git" && rev !== undefined ? atRevision(reference, rev) : tool);
}

/** This program, as it was started. */
function ownProgram(): readonly string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] as string];
}

/** Words of a command with more flags; what stands behind `--` is not Floe's. */
function withFlags(words: readonly string[], flags: readonly string[]): string[] {
  const end = words.indexOf("--");
  return end === -1 ? [...words, ...flags] : [...words.slice(0, end), ...flags, ...words.slice(end)];
}

/** @throws {CodedError} `time-machine.bad-date` */
function parseDate(text: string): number {
  const [, day, time] = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d)?Z)?$/.exec(text) ?? [];
  const milliseconds = day === undefined ? Number.NaN : Date.parse(`${day}${time ?? "T23:59:59Z"}`);
  // A day that no month has is taken for one of the next.
  if (!Number.isNaN(milliseconds) && new Date(milliseconds).toISOString().startsWith(day as string))
    return Math.floor(milliseconds / 1000);
  throw new CodedError("time-machine.bad-date", `Cannot read "${text}" as a date: expected a day, or a time in UTC`, {
    hint: "Write: --date 2026-11-01, or --date 2026-11-01T12:00:00Z",
  });
}

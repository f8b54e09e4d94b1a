import { hash as digestOf } from "node:crypto";
import { constants, type Context, createContext, Script } from "node:vm";
import { CONSOLE_MARK, type HostFailure, type ModuleTreeReport } from "../protocol.ts";
import type { Trees } from "./trees.ts";
import { writeAll } from "./write.ts";

/** A realm of its own: only what the language itself has, and no way to make code from text. */
export function makeRealm(): Context {
  return createContext(constants.DONT_CONTEXTIFY as unknown as object, {
    name: "evaluation",
    codeGeneration: { strings: false, wasm: false },
  });
}

/**
 * Made inside, around each function of the border: where the stack overflows in the process outside, the error is an object of its
 * realm, and what the realm inside may catch has to be its own.
 */
const GUARD = `(call) => (a, b, c) => {
  try {
    return call(a, b, c);
  } catch {
    throw new RangeError("Maximum call stack size exceeded");
  }
}`;

/** The functions of the border as the realm gets them. */
export function guardCalls(context: Context, calls: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const guard = new Script(GUARD).runInContext(context) as (call: unknown) => unknown;
  return Object.fromEntries(Object.entries(calls).map(([name, call]) => [name, guard(call)]));
}

/** What an evaluation may print, in lines and in UTF-16 units; a loop that prints must not fill the disk of who listens. */
const MAX_LINES = 10_000;
const MAX_PRINTED = 1024 * 1024;

export interface HostCallsOptions {
  readonly trees: () => Trees;
  /** The text of a file in an output; `null` when the output is not there. */
  readonly readOutput: (path: string, object: string) => string | null;
  /** A module of configuration with all that it imports. */
  readonly hashModules: (file: string) => ModuleTreeReport;
  /** Load an input's flake; gives its default export. */
  readonly loadFlake: (id: string) => unknown;
  /** Load a file that another one names; gives its exports. */
  readonly loadLater: (from: string, specifier: string) => unknown;
  /** What was loaded and threw itself, an object of the realm. */
  readonly thrown: () => unknown;
  /** Called when something cannot be had. */
  readonly onFailure: () => void;
}

/** The functions of `floe:host`; see its declaration for the rules of this border. */
export function makeHostCalls({
  trees,
  readOutput,
  hashModules,
  loadFlake,
  loadLater,
  thrown,
  onFailure,
}: HostCallsOptions): Readonly<Record<string, unknown>> {
  const encoder = new TextEncoder();
  let lines = 0;
  let printed = 0;
  let lastFailure = "";
  const orFailure = (load: () => unknown): unknown => {
    lastFailure = "";
    try {
      return load();
    } catch (error) {
      onFailure();
      lastFailure = failureJson(error);
      return undefined;
    }
  };
  const guarded = (run: () => unknown): string => {
    try {
      return JSON.stringify(run());
    } catch (error) {
      onFailure();
      return failureJson(error);
    }
  };
  return {
    hash(algorithm: string, data: Uint8Array | string, digest: Uint8Array): boolean {
      try {
        digest.set(digestOf(algorithm, data, "buffer"));
        return true;
      } catch {
        return false;
      }
    },
    encodeInto: (text: string, target: Uint8Array): number => encoder.encodeInto(text, target).written,
    decode(bytes: Uint8Array, fatal: boolean, ignoreBOM: boolean): string | undefined {
      try {
        return new TextDecoder("utf-8", { fatal, ignoreBOM }).decode(bytes);
      } catch {
        return undefined;
      }
    },
    log(text: string): void {
      if (lines > MAX_LINES || printed > MAX_PRINTED) return;
      // The rest is cut before it is split: a text of half a gigabyte may come.
      for (const line of text.slice(0, MAX_PRINTED).split("\n", MAX_LINES)) {
        printed += line.length;
        const full = ++lines > MAX_LINES || printed > MAX_PRINTED;
        writeAll(2, `${CONSOLE_MARK}${full ? "… what else the configuration prints is left out" : line}\n`);
        if (full) return;
      }
    },
    listTree: (path: string, from: string): string => guarded(() => trees().list(path, from)),
    hashTree: (path: string, keptJson: string, from: string): string =>
      guarded(() => trees().hash(path, keptJson === "" ? undefined : (JSON.parse(keptJson) as string[]), from)),
    readOutput: (path: string, object: string): string => guarded(() => readOutput(path, object)),
    hashModules: (file: string): string => guarded(() => hashModules(file)),
    loadFlake: (id: string): unknown => orFailure(() => loadFlake(id)),
    loadLater: (from: string, specifier: string): unknown => orFailure(() => loadLater(from, specifier)),
    failure: (): string => lastFailure,
    thrown,
  };
}

function failureJson(error: unknown): string {
  const { code, message, hint, report } = error as {
    code?: string;
    message?: string;
    hint?: string;
    report?: HostFailure["failed"];
  };
  const failed =
    report ??
    (code !== undefined && message !== undefined && /^[a-z-]+\.[a-z-]+$/.test(code)
      ? { code, message, ...(hint === undefined ? {} : { hint }) }
      : // The words of the machine would name its folders, and a configuration can read them.
        { code: "source.unreadable", message: `Cannot read a source: the machine says ${code ?? "no"}` });
  return JSON.stringify({ failed } satisfies HostFailure);
}

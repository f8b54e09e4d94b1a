import { hash as digestOf } from "node:crypto";
import { constants, type Context, createContext } from "node:vm";
import { writeSync } from "node:fs";
import type { HostFailure } from "../protocol.ts";
import type { Trees } from "./trees.ts";

/** A realm of its own: only what the language itself has, and no way to make code from text. */
export function makeRealm(): Context {
  return createContext(constants.DONT_CONTEXTIFY as unknown as object, {
    name: "evaluation",
    codeGeneration: { strings: false, wasm: false },
  });
}

/** Lines an evaluation may print; a loop that prints must not fill the disk of who listens. */
const MAX_LINES = 10_000;

export interface HostCallsOptions {
  readonly trees: Trees;
  /** Load an input's flake; gives its default export. */
  readonly loadFlake: (id: string) => unknown;
  /** What an input's flake threw itself, an object of the realm. */
  readonly thrown: () => unknown;
}

/** The functions of `floe:host`; see its declaration for the rules of this border. */
export function makeHostCalls({ trees, loadFlake, thrown }: HostCallsOptions): Readonly<Record<string, unknown>> {
  const encoder = new TextEncoder();
  let lines = 0;
  let lastFailure = "";
  return {
    hash(algorithm: string, bytes: Uint8Array, digest: Uint8Array): boolean {
      try {
        digest.set(digestOf(algorithm, bytes, "buffer"));
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
      if (++lines <= MAX_LINES) writeSync(2, `${String(text).slice(0, 10_000)}\n`);
    },
    listTree: (path: string): string => guarded(() => trees.list(path)),
    hashTree: (path: string, keptJson: string): string =>
      guarded(() => trees.hash(path, keptJson === "" ? undefined : (JSON.parse(keptJson) as string[]))),
    loadFlake(id: string): unknown {
      lastFailure = "";
      try {
        return loadFlake(id);
      } catch (error) {
        lastFailure = failureJson(error);
        return undefined;
      }
    },
    failure: (): string => lastFailure,
    thrown,
  };
}

function guarded(run: () => unknown): string {
  try {
    return JSON.stringify(run());
  } catch (error) {
    return failureJson(error);
  }
}

function failureJson(error: unknown): string {
  const { code, message, hint, report, resource } = error as {
    code?: string;
    message?: string;
    hint?: string;
    report?: HostFailure["failed"];
    resource?: string;
  };
  const failed =
    report ??
    (code !== undefined && message !== undefined && /^[a-z-]+\.[a-z-]+$/.test(code)
      ? { code, message, ...(hint === undefined ? {} : { hint }) }
      : {
          code: "source.unreadable",
          message: `Cannot read a source: ${message ?? String(error)}${resource === undefined ? "" : ` (${resource})`}`,
        });
  return JSON.stringify({ failed } satisfies HostFailure);
}

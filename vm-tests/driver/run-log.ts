import type { SourceLocation } from "../../core/base/index.ts";

/** What happens in a run, in the words of the report. Durations are in seconds on the host's clock. */
export type RunEvent =
  | {
      readonly kind: "run";
      readonly name: string;
      readonly accelerator: string;
      readonly reason: string;
      readonly folder: string;
      /** Of its machines, such as `aarch64-linux`. */
      readonly platform?: string;
      /** Which try of the test it is, where it is not the first. */
      readonly attempt?: number;
      /** Digest of the story's file, and the toplevel of each generation of each machine: what a run is a run of. */
      readonly story?: string;
      readonly systems?: Readonly<Record<string, string>>;
    }
  | { readonly kind: "step-begin"; readonly name: string; readonly depth: number }
  | {
      readonly kind: "step-end";
      readonly name: string;
      readonly depth: number;
      readonly ok: boolean;
      readonly seconds: number;
    }
  | {
      readonly kind: "machine";
      readonly machine: string;
      readonly text: string;
      readonly seconds?: number;
      /** What it is from now on. */
      readonly state?: "booting" | "running" | "off";
      /** Name of a picture of its screen that was taken now, among its files. */
      readonly picture?: string;
    }
  | {
      readonly kind: "command";
      readonly machine: string;
      readonly command: string;
      readonly status: number;
      readonly seconds: number;
      readonly stdout: string;
      readonly stderr: string;
    }
  | { readonly kind: "trouble"; readonly machine: string; readonly line: string }
  | { readonly kind: "note"; readonly text: string }
  | RunResultEvent;

/** The last event. */
export interface RunResultEvent {
  readonly kind: "result";
  readonly ok: boolean;
  readonly seconds: number;
  /** The failure's first line, and the rest of it. */
  readonly error?: string;
  readonly failure?: {
    readonly code: string;
    readonly hint: string | undefined;
    readonly at: SourceLocation | undefined;
    readonly details: readonly string[] | undefined;
  };
}

/** Receives events as they happen. */
export type RunLog = (event: RunEvent) => void;

/** `1.2 s`, `75 s`, `3 min 5 s`. */
export function showSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** What crosses the border to the debugger of an evaluation, a line of JSON each. */

/** Where an evaluation under a debugger stops. */
export interface DebugQuestion {
  /** Files as they seem to lie inside, and lines from 1. */
  readonly breaks: readonly { readonly file: string; readonly line: number }[];
  /** Stop where the configuration warns (`console.warn`), too. */
  readonly onWarn: boolean;
}

/** What the process outside says while the evaluation stands still. */
export type DebugCommand =
  | { readonly do: "continue" | "into" | "over" | "out" }
  | { readonly do: "scopes"; readonly frame: number }
  | { readonly do: "evaluate"; readonly frame: number; readonly text: string }
  | { readonly do: "break"; readonly file: string; readonly line: number };

/** Why an evaluation stands still. */
export type StopReason = "error" | "warning" | "breakpoint" | "statement" | "step";

/** Variables of one scope, with their values as text. */
export interface DebugScope {
  /** As V8 calls it: `local`, `closure`, `module` … */
  readonly type: string;
  readonly name: string;
  readonly variables: readonly { readonly name: string; readonly value: string }[];
}

/** What the evaluation says when it stops, and to each command that does not let it go on. */
export type DebugMessage =
  | {
      readonly kind: "paused";
      readonly reason: StopReason;
      readonly text?: string | undefined;
      /** Those of configuration, the innermost first; lines and columns from 1. */
      readonly frames: readonly {
        readonly name: string;
        readonly file: string;
        readonly line: number;
        readonly column: number;
      }[];
    }
  | { readonly kind: "scopes"; readonly scopes: readonly DebugScope[] }
  | { readonly kind: "value"; readonly text: string; readonly failed: boolean }
  | { readonly kind: "done"; readonly holds: boolean };

/** The argument of a process that is debugged. */
export const DEBUG_ARGUMENT = "debug";

/** Begins each line of the evaluation that is a message of its debugger. */
export const DEBUG_MARK = "\u0002";

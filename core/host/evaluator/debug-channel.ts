import { existsSync } from "node:fs";
import * as v from "valibot";
import { CodedError, type SourceLocation } from "../../base/index.ts";
import {
  DEBUG_MARK,
  type DebugCommand,
  type DebugMessage,
  type DebugQuestion,
  type DebugScope,
  type StopReason,
} from "./debug-protocol.ts";
import type { Places } from "./places.ts";

/** How an evaluation goes on: to the next stop, or to the next line, into what that calls, or to who called; `quit` ends it. */
export type HowToGoOn = "continue" | "into" | "over" | "out" | "quit";

/** One call on the way to where an evaluation stands. */
export interface DebugFrame {
  /** Name of the function; empty for one without a name. */
  readonly name: string;
  readonly at: SourceLocation;
}

/** An evaluation that stands still. */
export interface DebugStop {
  readonly reason: StopReason;
  /** What the error says. */
  readonly text?: string | undefined;
  /** Calls of configuration, the innermost first. */
  readonly frames: readonly DebugFrame[];
  /** Variables that a call sees, the innermost scope first. */
  scopes(frame: number): Promise<readonly DebugScope[]>;
  /** A JavaScript expression with the variables that a call sees. */
  evaluate(frame: number, text: string): Promise<{ readonly text: string; readonly failed: boolean }>;
  /** Stop at a line, too. @returns whether a source has the file. */
  breakAt(file: string, line: number): Promise<boolean>;
}

/** Who decides what becomes of an evaluation that stands still. */
export interface EvaluationDebugger {
  /** Files of this machine, absolute, and lines from 1. */
  readonly breaks: readonly { readonly file: string; readonly line: number }[];
  readonly onWarn: boolean;
  stopped(stop: DebugStop): Promise<HowToGoOn>;
}

const text = v.string();
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/** It comes from a process that runs foreign code. */
const message = v.variant("kind", [
  v.object({
    kind: v.literal("paused"),
    reason: v.picklist(["error", "warning", "breakpoint", "statement", "step"]),
    text: v.optional(text),
    frames: v.array(v.object({ name: text, file: text, line: count, column: count })),
  }),
  v.object({
    kind: v.literal("scopes"),
    scopes: v.array(v.object({ type: text, name: text, variables: v.array(v.object({ name: text, value: text })) })),
  }),
  v.object({ kind: v.literal("value"), text, failed: v.boolean() }),
  v.object({ kind: v.literal("done"), holds: v.boolean() }),
]);

/** @throws {CodedError} `evaluation.malformed-answer` */
export function parseDebugMessage(json: string): DebugMessage {
  try {
    const result = v.safeParse(message, JSON.parse(json));
    if (result.success) return result.output;
  } catch {
    // It has another shape.
  }
  throw new CodedError(
    "evaluation.malformed-answer",
    "Cannot read what the evaluation says to its debugger: it has another shape",
  );
}

/** What the process of an evaluation is told of who debugs it. */
export function debugQuestion({ breaks, onWarn }: EvaluationDebugger, places: Places): DebugQuestion {
  return {
    onWarn,
    breaks: breaks.map(({ file, line }) => {
      const inside = places.inside(file);
      if (inside !== undefined && existsSync(file)) return { file: inside, line };
      throw new CodedError("evaluation.no-such-line", `Cannot stop at "${file}:${line}": no source has that file`, {
        hint: "Name a file of the flake: --break FILE:LINE",
      });
    }),
  };
}

export interface DebugChannelOptions {
  readonly debugger: EvaluationDebugger;
  readonly places: Places;
  readonly send: (line: string) => void;
  /** End the evaluation; nobody wants its answer any more. */
  readonly quit: (error: unknown) => void;
}

/** The talk with an evaluation that is debugged: takes its messages out of what it writes. */
export class DebugChannel {
  readonly #options: DebugChannelOptions;
  /** Of a line that has no end yet. */
  readonly #rest: Buffer[] = [];
  #heldBytes = 0;
  #ended = false;
  #waiting: ((message: DebugMessage | undefined) => void) | undefined;

  constructor(options: DebugChannelOptions) {
    this.#options = options;
  }

  /** How long the line is that has no end yet. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Take what was written, and give back the lines that are no messages. */
  push(chunk: Buffer): Buffer {
    const end = chunk.lastIndexOf("\n") + 1;
    const whole = end === 0 ? "" : Buffer.concat([...this.#rest.splice(0), chunk.subarray(0, end)]).toString("utf8");
    if (end > 0) this.#heldBytes = 0;
    this.#rest.push(chunk.subarray(end));
    this.#heldBytes += chunk.length - end;
    return Buffer.from(
      whole
        .split(/(?<=\n)/)
        .filter((line) => !this.#takes(line))
        .join(""),
    );
  }

  /** The evaluation is over: who waits for an answer gets none. */
  end(): void {
    this.#ended = true;
    this.#waiting?.(undefined);
  }

  #takes(line: string): boolean {
    if (!line.startsWith(DEBUG_MARK)) return false;
    try {
      this.#take(parseDebugMessage(line.slice(DEBUG_MARK.length)));
    } catch (error) {
      this.#options.quit(error);
    }
    return true;
  }

  #take(message: DebugMessage): void {
    if (message.kind === "paused") void this.#stopped(message);
    else this.#waiting?.(message);
  }

  async #stopped({ reason, text: said, frames }: DebugMessage & { kind: "paused" }): Promise<void> {
    const { places, debugger: decides, quit } = this.#options;
    const stop: DebugStop = {
      reason,
      ...(said === undefined ? {} : { text: places.onHost(said) }),
      frames: frames.map(({ name, file, line, column }) => ({ name, at: { file: places.onHost(file), line, column } })),
      scopes: async (frame) => {
        const answer = await this.#ask({ do: "scopes", frame });
        return answer?.kind === "scopes" ? answer.scopes : [];
      },
      evaluate: async (frame, expression) => {
        const answer = await this.#ask({ do: "evaluate", frame, text: expression });
        return answer?.kind === "value" ? answer : { text: "", failed: true };
      },
      breakAt: async (file, line) => {
        const inside = places.inside(file);
        if (inside === undefined || !existsSync(file)) return false;
        const answer = await this.#ask({ do: "break", file: inside, line });
        return answer?.kind === "done" && answer.holds;
      },
    };
    try {
      const how = await decides.stopped(stop);
      if (how === "quit")
        quit(new CodedError("evaluation.given-up", "Cannot finish the evaluation: it was ended in the debugger"));
      else this.#send({ do: how });
    } catch (error) {
      quit(error);
    }
  }

  #ask(command: DebugCommand): Promise<DebugMessage | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting = resolve;
      this.#send(command);
    });
  }

  #send(command: DebugCommand): void {
    this.#options.send(`${JSON.stringify(command)}\n`);
  }
}

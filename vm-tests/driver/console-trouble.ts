import type { SourceLocation } from "../../core/base/index.ts";

/** What a line of the console or the journal says about the machine's health. */
export interface ConsoleTrouble {
  /** `fatal`: the guest will not come back. `bad`: it goes on, and a test must not pass over it. */
  readonly kind: "fatal" | "bad";
  /** Of the error that it is: `machine.kernel-panic`. */
  readonly code: TroubleCode;
  readonly line: string;
  /** The line of the story that was waiting when it was said. */
  readonly at?: SourceLocation;
}

/** Classes of trouble. */
export type TroubleCode =
  | "machine.kernel-panic"
  | "machine.boot-failed"
  | "machine.segfault"
  | "machine.out-of-memory"
  | "machine.kernel-oops"
  | "machine.disk-error"
  | "machine.hung-task"
  | "machine.ordering-cycle";

const FATAL: readonly (readonly [RegExp, TroubleCode])[] = [
  // What the first stage of the boot says comes before the panic that follows from its end.
  [/floe: cannot boot: /, "machine.boot-failed"],
  [/Entering emergency mode/, "machine.boot-failed"],
  [/You are in (?:emergency|rescue) mode/, "machine.boot-failed"],
  [/No bootable device/, "machine.boot-failed"],
  [/Kernel panic - not syncing/, "machine.kernel-panic"],
  [/end Kernel panic/, "machine.kernel-panic"],
];

const ORDERING_CYCLE = /Found ordering cycle on/;

const BAD: readonly (readonly [RegExp, TroubleCode])[] = [
  // Faults of programs, in the words of either platform's kernel.
  [/\bsegfault at\b|\btraps: \S+\[\d+\]|: unhandled (?:exception|level \d)/, "machine.segfault"],
  // Of the whole machine, or of a group of processes with a limit of its own.
  [/\bout of memory: Killed process/i, "machine.out-of-memory"],
  [/\bOops(?::|\b.*#\d)|\bBUG: |general protection fault/, "machine.kernel-oops"],
  [/\bEXT4-fs error\b/, "machine.disk-error"],
  [/blocked for more than \d+ seconds/, "machine.hung-task"],
  [ORDERING_CYCLE, "machine.ordering-cycle"],
];

/** Judge one line of a serial console; `undefined` when there is nothing to say. */
export function judgeConsoleLine(line: string): ConsoleTrouble | undefined {
  for (const [kind, patterns] of [
    ["fatal", FATAL],
    ["bad", BAD],
  ] as const) {
    const found = patterns.find(([pattern]) => pattern.test(line));
    if (found !== undefined) return { kind, code: found[1], line: line.trim() };
  }
  return undefined;
}

/**
 * Judge one line of a journal. What the kernel says is on the console, too, and programs may say what they like; of what systemd says, the
 * console has only what it says before there is a journal.
 */
export function judgeJournalLine(line: string): ConsoleTrouble | undefined {
  if (!/^\[[\s\d.]+\] systemd\[1\]: /.test(line) || !ORDERING_CYCLE.test(line)) return undefined;
  return { kind: "bad", code: "machine.ordering-cycle", line: line.trim() };
}

/** Whether two lines say the same, whenever and through whichever record. */
export function saysTheSame(one: ConsoleTrouble, other: ConsoleTrouble): boolean {
  return withoutTime(one.line) === withoutTime(other.line);
}

function withoutTime(line: string): string {
  return line.replace(/^\[[\s\d.]+\]\s*/, "");
}

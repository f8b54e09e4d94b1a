/** What a line of the console says about the kernel's health. */
export interface ConsoleTrouble {
  /** `fatal`: the guest will not come back. `bad`: it goes on, and a test must not pass over it. */
  readonly kind: "fatal" | "bad";
  readonly line: string;
}

const FATAL = [
  /Kernel panic - not syncing/,
  /end Kernel panic/,
  /Entering emergency mode/,
  /You are in (?:emergency|rescue) mode/,
  /No bootable device/,
];

const BAD = [
  /\bOops(?::|\b.*#\d)/,
  /\bBUG: /,
  /general protection fault/,
  /\bsegfault at\b/,
  /Out of memory: Killed process/,
  /\bEXT4-fs error\b/,
  /blocked for more than \d+ seconds/,
  /Found ordering cycle on/,
];

/** Judge one line of a serial console; `undefined` when there is nothing to say. */
export function judgeConsoleLine(line: string): ConsoleTrouble | undefined {
  if (FATAL.some((pattern) => pattern.test(line))) return { kind: "fatal", line: line.trim() };
  if (BAD.some((pattern) => pattern.test(line))) return { kind: "bad", line: line.trim() };
  return undefined;
}

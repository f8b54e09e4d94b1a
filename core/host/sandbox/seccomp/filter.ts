import { encodeProgram, give, type Instruction, load, mask, whenAnyBit, whenEqual } from "./bpf.ts";
import { AARCH64, ARM, type CallTable, EPERM, I386, type Rule, X86_64 } from "./system-calls.ts";

/** Verdicts of a filter. Source: Linux, `include/uapi/linux/seccomp.h`. */
export const ALLOW = 0x7fff0000;
export const KILL = 0x80000000;
export const REFUSE = 0x00050000;

/** Offsets in `struct seccomp_data`. */
const NUMBER_OFFSET = 0;
const ARCHITECTURE_OFFSET = 4;
const ARGUMENTS_OFFSET = 16;

/** The calls of x32 are those of x86_64 with this bit. */
const WITHOUT_X32_BIT = 0xbfffffff;

const SET_ID_BITS = 0o6000;
/** `O_CREAT`, and the bit by which `O_TMPFILE` differs from `O_DIRECTORY`. */
const CREATE_FLAGS = 0o100 | 0o20000000;

/**
 * The filter for builders' system calls, as the kernel takes it.
 *
 * No file gets a set-user or set-group bit (EPERM), extended attributes are not to be had (ENOTSUP), nor are the keyrings
 * of whoever started us (ENOSYS), nor what a filter cannot look into: `openat2` and `io_uring` (ENOSYS, at which
 * programs take the older way). A call by an architecture that is not this machine's ends the builder.
 *
 * Source: Nix, `setupSeccomp`; it leaves open the ways around by `open`, `mknod`, `openat2` and `io_uring`.
 */
export function makeSystemCallFilter(platform: "x64" | "arm64"): Uint8Array {
  return encodeProgram(filterProgram(platform === "x64" ? [X86_64, I386] : [AARCH64, ARM]));
}

export function filterProgram(tables: readonly CallTable[]): Instruction[] {
  return [
    load(ARCHITECTURE_OFFSET),
    ...tables.flatMap((table) => whenEqual(table.architecture, judge(table))),
    give(KILL),
  ];
}

/** Ends with a verdict. */
function judge({ architecture, rules }: CallTable): Instruction[] {
  return [
    load(NUMBER_OFFSET),
    ...(architecture === X86_64.architecture ? [mask(WITHOUT_X32_BIT)] : []),
    ...[...rules].flatMap(([call, rule]) => whenEqual(call, apply(rule))),
    give(ALLOW),
  ];
}

function apply(rule: Rule): Instruction[] {
  switch (rule.kind) {
    case "refuse":
      return [give(REFUSE | rule.errno)];
    case "mode":
      return checkMode(rule.mode);
    case "create":
      return [load(argument(rule.flags)), ...whenAnyBit(CREATE_FLAGS, checkMode(rule.mode)), give(ALLOW)];
  }
}

function checkMode(index: number): Instruction[] {
  return [load(argument(index)), ...whenAnyBit(SET_ID_BITS, [give(REFUSE | EPERM)]), give(ALLOW)];
}

/** The low half of an argument: modes and flags have no more. */
function argument(index: number): number {
  return ARGUMENTS_OFFSET + 8 * index;
}

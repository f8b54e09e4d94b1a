import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  AND,
  encodeProgram,
  give,
  type Instruction,
  JUMP,
  JUMP_ANY_BIT,
  JUMP_EQUAL,
  load,
  LOAD_WORD,
  RETURN,
  whenEqual,
} from "./bpf.ts";
import { ALLOW, filterProgram, KILL, makeSystemCallFilter, REFUSE } from "./filter.ts";
import { AARCH64, ARM, type CallTable, ENOSYS, ENOTSUP, EPERM, I386, X86_64 } from "./system-calls.ts";

/** The verdict of an encoded program, found as the kernel finds it. */
function judge(
  program: Uint8Array,
  call: { architecture: number; number: number; arguments?: readonly number[] },
): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call.number, 0);
  data.writeUInt32LE(call.architecture, 4);
  // What is in the high halves must not matter.
  for (const [i, value] of (call.arguments ?? []).entries())
    data.writeBigUInt64LE((0xdeadn << 32n) | BigInt(value), 16 + 8 * i);
  const bytes = Buffer.from(program);
  let loaded = 0;
  for (let at = 0; ; at++) {
    assert.ok(at * 8 < bytes.length, "the program ends with a verdict");
    const code = bytes.readUInt16LE(at * 8);
    const [jumpTrue, jumpFalse] = [bytes.readUInt8(at * 8 + 2), bytes.readUInt8(at * 8 + 3)];
    const operand = bytes.readUInt32LE(at * 8 + 4);
    if (code === LOAD_WORD) loaded = data.readUInt32LE(operand);
    else if (code === AND) loaded = (loaded & operand) >>> 0;
    else if (code === JUMP) at += operand;
    else if (code === JUMP_EQUAL) at += loaded === operand ? jumpTrue : jumpFalse;
    else if (code === JUMP_ANY_BIT) at += (loaded & operand) !== 0 ? jumpTrue : jumpFalse;
    else if (code === RETURN) return operand;
    else throw new Error(`unknown instruction ${code}`);
  }
}

const X64 = makeSystemCallFilter("x64");
const ARM64 = makeSystemCallFilter("arm64");
const [x86, i386, aarch64, arm] = [X86_64, I386, AARCH64, ARM].map(({ architecture }) => architecture) as [
  number,
  number,
  number,
  number,
];
const X32_BIT = 0x40000000;
const O_CREAT = 0o100;
const O_TMPFILE = 0o20200000;

test("makeSystemCallFilter() refuses set-id bits however a mode is set", () => {
  const refused = REFUSE | EPERM;
  // Numbers of chmod, fchmod, fchmodat and fchmodat2, and where their mode is.
  const calls = [
    ...[
      [X64, x86, 90, 1],
      [X64, x86, 91, 1],
      [X64, x86, 268, 2],
      [X64, x86, 452, 2],
      [X64, x86, 90 | X32_BIT, 1],
    ],
    ...[
      [X64, i386, 15, 1],
      [X64, i386, 94, 1],
      [X64, i386, 306, 2],
      [X64, i386, 452, 2],
    ],
    ...[
      [ARM64, aarch64, 52, 1],
      [ARM64, aarch64, 53, 2],
      [ARM64, aarch64, 452, 2],
    ],
    ...[
      [ARM64, arm, 15, 1],
      [ARM64, arm, 94, 1],
      [ARM64, arm, 333, 2],
    ],
  ] as unknown as readonly (readonly [Uint8Array, number, number, number])[];
  for (const [filter, architecture, number, index] of calls) {
    const withMode = (mode: number): number =>
      judge(filter, { architecture, number, arguments: [...Array<number>(index).fill(0o6000), mode] });
    for (const mode of [0o4755, 0o2755, 0o6000]) assert.is(withMode(mode), refused, `${number}: ${mode.toString(8)}`);
    for (const mode of [0, 0o755, 0o1777]) assert.is(withMode(mode), ALLOW, `${number}: ${mode.toString(8)}`);
  }
});

test("makeSystemCallFilter() looks at the mode of a new file only when one is made", () => {
  const openat = (flags: number, mode: number): number =>
    judge(X64, { architecture: x86, number: 257, arguments: [0, 0, flags, mode] });
  assert.is(openat(O_CREAT, 0o4755), REFUSE | EPERM);
  assert.is(openat(O_TMPFILE, 0o2755), REFUSE | EPERM);
  assert.is(openat(O_CREAT, 0o644), ALLOW);
  // Without it the register holds anything.
  assert.is(openat(0, 0o7777), ALLOW);
  assert.is(judge(X64, { architecture: x86, number: 2, arguments: [0, O_CREAT, 0o4755] }), REFUSE | EPERM);
  assert.is(judge(X64, { architecture: x86, number: 133, arguments: [0, 0o104755] }), REFUSE | EPERM);
  assert.is(judge(X64, { architecture: x86, number: 259, arguments: [0, 0, 0o104755] }), REFUSE | EPERM);
});

test("makeSystemCallFilter() refuses extended attributes, keyrings and what it cannot look into", () => {
  for (let number = 188; number <= 199; number++)
    assert.is(judge(X64, { architecture: x86, number }), REFUSE | ENOTSUP);
  for (let number = 463; number <= 466; number++) {
    for (const architecture of [x86, i386]) assert.is(judge(X64, { architecture, number }), REFUSE | ENOTSUP);
  }
  for (const number of [248, 249, 250, 425, 426, 427, 437])
    assert.is(judge(X64, { architecture: x86, number }), REFUSE | ENOSYS);
  assert.is(judge(X64, { architecture: x86, number: 190 | X32_BIT }), REFUSE | ENOTSUP);
  assert.is(judge(X64, { architecture: i386, number: 226 }), REFUSE | ENOTSUP);
  assert.is(judge(X64, { architecture: i386, number: 286 }), REFUSE | ENOSYS);
  assert.is(judge(ARM64, { architecture: aarch64, number: 5 }), REFUSE | ENOTSUP);
});

test("makeSystemCallFilter() kills callers of another architecture", () => {
  assert.is(judge(X64, { architecture: aarch64, number: 0 }), KILL);
  assert.is(judge(ARM64, { architecture: x86, number: 0 }), KILL);
});

test("filterProgram() lets every call pass that has no rule", () => {
  const tables: readonly (readonly [Uint8Array, CallTable])[] = [
    [X64, X86_64],
    [X64, I386],
    [ARM64, AARCH64],
    [ARM64, ARM],
  ];
  fc.assert(
    fc.property(fc.constantFrom(...tables), fc.integer({ min: 0, max: 1000 }), ([filter, table], number) => {
      const verdict = judge(filter, { architecture: table.architecture, number });
      return table.rules.has(number) || verdict === ALLOW;
    }),
  );
  // The kernel takes at most 4096 instructions.
  assert.ok(filterProgram([X86_64, I386]).length < 4096);
});

test("whenEqual() skips blocks longer than one jump", () => {
  const block: Instruction[] = [...Array.from({ length: 300 }, () => load(0)), give(1)];
  const program = encodeProgram([load(4), ...whenEqual(7, block), give(2)]);
  assert.is(judge(program, { architecture: 7, number: 0 }), 1);
  assert.is(judge(program, { architecture: 8, number: 0 }), 2);
});

test("the numbers are those of the kernel's headers", () => {
  const names = {
    open: "create",
    openat: "create",
    creat: "mode",
    mknod: "mode",
    mknodat: "mode",
    chmod: "mode",
    fchmod: "mode",
    fchmodat: "mode",
    setxattr: "refuse",
    getxattr: "refuse",
    fremovexattr: "refuse",
    add_key: "refuse",
    request_key: "refuse",
    keyctl: "refuse",
    openat2: "refuse",
    io_uring_setup: "refuse",
    io_uring_register: "refuse",
  } as const;
  for (const [file, table] of [
    ["unistd_64", X86_64],
    ["unistd_32", I386],
  ] as const) {
    const header = `/usr/include/x86_64-linux-gnu/asm/${file}.h`;
    if (!existsSync(header)) return console.log(`skipped: ${header} is not there (Debian: linux-libc-dev)`);
    const numbers = new Map(
      [...readFileSync(header, "utf8").matchAll(/^#define __NR_(\w+) (\d+)$/gm)].map((found) => [
        found[1],
        Number(found[2]),
      ]),
    );
    for (const [name, kind] of Object.entries(names))
      assert.is(table.rules.get(numbers.get(name) ?? -1)?.kind, kind, `${file}: ${name}`);
  }
});

test.run();

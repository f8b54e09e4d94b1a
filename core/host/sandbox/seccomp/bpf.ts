/**
 * One instruction of the classic Berkeley packet filter, which the kernel runs over a system call.
 *
 * Source: Linux, `Documentation/networking/filter.rst`, `include/uapi/linux/bpf_common.h`.
 */
export interface Instruction {
  readonly code: number;
  /** Instructions to skip when a comparison holds, and when it does not. */
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly operand: number;
}

export const LOAD_WORD = 0x20;
export const AND = 0x54;
export const JUMP = 0x05;
export const JUMP_EQUAL = 0x15;
export const JUMP_ANY_BIT = 0x45;
export const RETURN = 0x06;

/** The longest jump of a comparison. */
const MAX_SKIP = 255;

function instruction(code: number, operand: number, jumpTrue = 0, jumpFalse = 0): Instruction {
  if (jumpTrue > MAX_SKIP || jumpFalse > MAX_SKIP) throw new Error("a comparison jumps too far");
  return { code, jumpTrue, jumpFalse, operand };
}

/** Load the 32-bit word at this offset of what is judged. */
export const load = (offset: number): Instruction => instruction(LOAD_WORD, offset);
/** Keep only these bits of what is loaded. */
export const mask = (bits: number): Instruction => instruction(AND, bits);
export const give = (verdict: number): Instruction => instruction(RETURN, verdict);
/** Run the block when the loaded word has this value, else go on behind it. The block may be of any length. */
export function whenEqual(value: number, block: readonly Instruction[]): Instruction[] {
  if (block.length <= MAX_SKIP) return [instruction(JUMP_EQUAL, value, 0, block.length), ...block];
  return [instruction(JUMP_EQUAL, value, 1, 0), instruction(JUMP, block.length), ...block];
}

/** Run the block when the loaded word has any of these bits, else go on behind it. */
export function whenAnyBit(bits: number, block: readonly Instruction[]): Instruction[] {
  return [instruction(JUMP_ANY_BIT, bits, 0, block.length), ...block];
}

/** The program as the kernel takes it, on a little-endian machine. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [i, { code, jumpTrue, jumpFalse, operand }] of program.entries()) {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jumpTrue, i * 8 + 2);
    bytes.writeUInt8(jumpFalse, i * 8 + 3);
    bytes.writeUInt32LE(operand, i * 8 + 4);
  }
  return bytes;
}

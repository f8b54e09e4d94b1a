import { concatBytes, utf8 } from "../base/index.ts";

/** The magic word at the start of every archive. */
export const NAR_MAGIC = "nix-archive-1";

/** A length as the format has it: 8 bytes, little-endian. Lengths beyond 2^53 do not occur. */
export function narLength(length: number): Uint8Array {
  const bytes = new Uint8Array(8);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length >>> 0, true);
  view.setUint32(4, Math.floor(length / 0x1_0000_0000), true);
  return bytes;
}

/** Zero bytes after a string of this length: 0 to 7. */
export function narPadding(length: number): number {
  return (8 - (length % 8)) % 8;
}

/** One token: length, bytes, padding. */
export function narString(value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? utf8(value) : value;
  return concatBytes([narLength(bytes.length), bytes, new Uint8Array(narPadding(bytes.length))]);
}

function tokens(...words: string[]): Uint8Array {
  return concatBytes(words.map(narString));
}

/** The runs of tokens between names, targets and contents. */
export const NAR_TOKENS = {
  start: tokens(NAR_MAGIC),
  file: tokens("(", "type", "regular", "contents"),
  executable: tokens("(", "type", "regular", "executable", "", "contents"),
  symlink: tokens("(", "type", "symlink", "target"),
  directory: tokens("(", "type", "directory"),
  entry: tokens("entry", "(", "name"),
  node: tokens("node"),
  close: tokens(")"),
} as const;

import { inflateSync } from "node:zlib";
import { CodedError } from "../../base/index.ts";
import { LARGEST_UNPACKED_BYTES } from "../fetch/limits.ts";

/** What a pack may unfold to. */
export interface PackLimits {
  /** Of one object. Default 2 GiB: the library holds each whole. */
  readonly objectBytes?: number;
  /** Of all together. Default 64 GiB. */
  readonly bytes?: number;
}

const HEADER_BYTES = 12;
const TRAILER_BYTES = 20;
const BY_OFFSET = 6;
const BY_NAME = 7;

/**
 * See that a pack unfolds to no more than it says and may, before anybody unfolds it who knows no limit. Nothing is held but
 * one object at a time, and of that no more than it is said to have.
 *
 * @throws {CodedError} `git.too-large`, `git.malformed-pack`
 *
 * Source: Git, `Documentation/gitformat-pack.txt`.
 */
export function checkPack(
  pack: Uint8Array,
  { objectBytes = 2 * 1024 ** 3, bytes = LARGEST_UNPACKED_BYTES }: PackLimits = {},
): void {
  if (pack.length < HEADER_BYTES + TRAILER_BYTES || String.fromCharCode(...pack.subarray(0, 4)) !== "PACK")
    throw malformed("it does not begin as one");
  const count = new DataView(pack.buffer, pack.byteOffset).getUint32(8);
  const end = pack.length - TRAILER_BYTES;
  let at = HEADER_BYTES;
  let left = bytes;
  const take = (sizeBytes: number): void => {
    left -= sizeBytes;
    // A number of hundreds of bytes is none any more, and compares as smaller than nothing.
    if (!(sizeBytes <= objectBytes && left >= 0)) throw tooMuch();
  };
  const next = (): number => {
    if (at >= end) throw malformed("it ends in an object");
    return pack[at++] as number;
  };
  for (let index = 0; index < count; index++) {
    let byte = next();
    const type = (byte >> 4) & 7;
    let sizeBytes = byte & 15;
    for (let factor = 16; byte & 0x80; factor *= 128) {
      byte = next();
      sizeBytes += (byte & 0x7f) * factor;
    }
    take(sizeBytes);
    if (type === BY_OFFSET) while (next() & 0x80);
    if (type === BY_NAME) at += 20;
    const { contents, used } = inflate(pack.subarray(at, end), sizeBytes);
    at += used;
    // What a difference makes of another object has the size that stands in it.
    if (type === BY_OFFSET || type === BY_NAME) take(resultSize(contents));
  }
}

/** Contents of just this size, and how many bytes they were. */
function inflate(bytes: Uint8Array, sizeBytes: number): { readonly contents: Uint8Array; readonly used: number } {
  try {
    // One byte of room more shows what is too long; and there is no buffer of none.
    const options = { maxOutputLength: sizeBytes + 1, chunkSize: Math.max(64, Math.min(sizeBytes + 1, 1 << 16)) };
    const { buffer, engine } = inflateSync(bytes, { ...options, info: true }) as unknown as {
      readonly buffer: Uint8Array;
      readonly engine: { readonly bytesWritten: number };
    };
    if (buffer.length !== sizeBytes) throw malformed("an object has another size than it says");
    return { contents: buffer, used: engine.bytesWritten };
  } catch (error) {
    if (error instanceof CodedError) throw error;
    if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
      throw malformed("an object has more bytes than it says");
    throw malformed("an object is not compressed data");
  }
}

/** A difference begins with the size of what it is to and that of what comes out. */
function resultSize(difference: Uint8Array): number {
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = difference[at++];
      if (byte === undefined) throw malformed("a difference ends in its sizes");
      value += (byte & 0x7f) * factor;
      if (!(byte & 0x80)) return value;
    }
  };
  number();
  return number();
}

function malformed(found: string): CodedError {
  return new CodedError("git.malformed-pack", `Cannot read the pack that a git server sent: ${found}`, {
    hint: "Try again; a server that sends it each time is broken, or something between changes what it sends. git+ssh:// takes another way.",
  });
}

function tooMuch(): CodedError {
  return new CodedError(
    "git.too-large",
    "Cannot unfold the pack that a git server sent: found larger objects than any source has",
    { hint: "A repository of files that large can be fetched by its own program: use a git+ssh:// address." },
  );
}

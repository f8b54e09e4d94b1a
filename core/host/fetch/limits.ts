import { CodedError } from "../../base/index.ts";

/** Unpacked, no source is larger; what is, is meant to fill the disk. */
export const LARGEST_UNPACKED_BYTES = 64 * 1024 ** 3;

/** The pieces, up to a limit. @throws {CodedError} `fetch.too-large` as soon as there are more bytes */
export async function* limited(
  pieces: AsyncIterable<Uint8Array>,
  limitBytes: number,
  what: string,
): AsyncGenerator<Uint8Array> {
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > limitBytes) {
      throw new CodedError("fetch.too-large", `Cannot unpack ${what}: found more than ${limitBytes} bytes`, {
        exitCode: 100,
      });
    }
    yield piece;
  }
}

/** All pieces as one; `undefined` as soon as there are more bytes than the limit, and the rest is let go. */
export async function gather(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limitBytes: number,
): Promise<Buffer | undefined> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const piece of pieces) {
    size += piece.length;
    if (size > limitBytes) return undefined;
    parts.push(piece);
  }
  return Buffer.concat(parts, size);
}

const BLOCK_BYTES = 512;
/** Long names and other facts about an entry; readers hold them in memory. */
const LONGEST_FACTS_BYTES = 1024 * 1024;
/** Types of such entries: pax, its global form, and GNU's long names and targets. */
const FACTS_TYPES = "xgLK";

/**
 * A tar archive as it comes, refused where an entry says that its facts are longer than any are: a reader would gather them
 * in memory.
 *
 * @throws {CodedError} `fetch.bad-archive`
 */
export async function* withShortFacts(pieces: AsyncIterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  const header = Buffer.alloc(BLOCK_BYTES);
  let filled = 0;
  /** Contents and padding of the entry before the next header. */
  let left = 0;
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      if (left > 0) {
        const passed = Math.min(left, piece.length - at);
        left -= passed;
        at += passed;
        continue;
      }
      const part = piece.subarray(at, at + BLOCK_BYTES - filled);
      header.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < BLOCK_BYTES) break;
      filled = 0;
      const size = entrySize(header);
      if (FACTS_TYPES.includes(String.fromCharCode(header[156] as number)) && size > LONGEST_FACTS_BYTES) {
        throw new CodedError(
          "fetch.bad-archive",
          `Cannot unpack ${what}: found ${size} bytes of facts about an entry, expected at most ${LONGEST_FACTS_BYTES}`,
          { exitCode: 100 },
        );
      }
      left = Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
    }
    yield piece;
  }
}

/** Octal digits, or bytes of a number when the first bit is set; 0 for what is neither (the reader refuses it). */
function entrySize(header: Buffer): number {
  const field = header.subarray(124, 136);
  if (((field[0] as number) & 0x80) === 0) return Number.parseInt(field.toString("latin1").trim(), 8) || 0;
  return field.subarray(1).reduce((value, byte) => value * 256 + byte, (field[0] as number) & 0x7f);
}

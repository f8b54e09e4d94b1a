/** A part of a file: from the first byte to the last, both included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * What a `Range` header asks for.
 *
 * @returns `undefined` to send the whole: no such header, several ranges, or another unit, all of which a server may ignore;
 *   `unsatisfiable` when no byte of it exists.
 *
 * Source: RFC 9110, section 14.
 */
export function parseRange(header: string | undefined, sizeBytes: number): ByteRange | "unsatisfiable" | undefined {
  const [, from, to] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "") ?? [];
  if (from === undefined || to === undefined || (from === "" && to === "")) return undefined;
  if (from === "") {
    const count = Number(to);
    if (count === 0 || sizeBytes === 0) return "unsatisfiable";
    return { first: Math.max(0, sizeBytes - count), last: sizeBytes - 1 };
  }
  const first = Number(from);
  const last = to === "" ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  if (to !== "" && Number(to) < first) return undefined;
  return first >= sizeBytes ? "unsatisfiable" : { first, last };
}

/** Whether an entity tag is among those of an `If-None-Match` header. */
export function matchesTag(header: string | undefined, tag: string): boolean {
  if (header === undefined) return false;
  const weak = (text: string): string => text.trim().replace(/^W\//, "");
  return header.split(",").some((one) => weak(one) === "*" || weak(one) === tag);
}

/** The pieces that a range covers, cut to it. */
export async function* cutToRange(
  pieces: AsyncIterable<Uint8Array>,
  { first, last }: ByteRange,
): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const piece of pieces) {
    const start = Math.max(0, first - at);
    const end = Math.min(piece.length, last + 1 - at);
    at += piece.length;
    if (start < end) yield start === 0 && end === piece.length ? piece : piece.subarray(start, end);
    if (at > last) return;
  }
}

import { concatBytes } from "./bytes.ts";

/**
 * Text that may hold any bytes.
 *
 * Names, link targets, arguments and environment values are byte strings and mostly, but not always, UTF-8. As a
 * JavaScript string a byte that is no part of valid UTF-8 is the lone surrogate U+DC00 + byte (U+DC80..U+DCFF), which
 * valid UTF-8 cannot produce; so {@link fromUtf8} loses nothing and {@link utf8} gives the same bytes back.
 *
 * Source: PEP 383 ("surrogateescape").
 */
const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const LONE_BYTE = /[\uD800-\uDFFF]/;

/** The bytes of a text; the inverse of {@link fromUtf8}. A lone surrogate that stands for no byte becomes U+FFFD. */
export function utf8(text: string): Uint8Array {
  const encoded = encoder.encode(text);
  return LONE_BYTE.test(text) && hasLoneByte(text) ? encodeEscaped(text) : encoded;
}

/** The text of bytes, without loss: bytes that are not UTF-8 become U+DC80..U+DCFF. A byte order mark is kept. */
export function fromUtf8(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeEscaped(bytes);
  }
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

function hasLoneByte(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    if (unit < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) i++;
    else return true;
  }
  return false;
}

/** A lone surrogate that stands for a byte; with the `u` flag, halves of pairs are none. */
const ESCAPED_BYTE = /[\uDC80-\uDCFF]/gu;

function encodeEscaped(text: string): Uint8Array {
  const parts: Uint8Array[] = [];
  let start = 0;
  for (const { index } of text.matchAll(ESCAPED_BYTE)) {
    if (index > start) parts.push(encoder.encode(text.slice(start, index)));
    parts.push(Uint8Array.of(text.charCodeAt(index) - 0xdc00));
    start = index + 1;
  }
  if (parts.length === 0) return encoder.encode(text);
  parts.push(encoder.encode(text.slice(start)));
  return concatBytes(parts);
}

function decodeEscaped(bytes: Uint8Array): string {
  let text = "";
  let valid = 0; // start of the run of valid UTF-8 that is not yet decoded
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes, i);
    if (length > 0) {
      i += length;
      continue;
    }
    text += strictDecoder.decode(bytes.subarray(valid, i)) + String.fromCharCode(0xdc00 + (bytes[i] as number));
    i += 1;
    valid = i;
  }
  return text + strictDecoder.decode(bytes.subarray(valid));
}

/** Length of the well-formed UTF-8 sequence at `at`, or 0 when there is none. Source: Unicode, table 3-7. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] as number;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}

/**
 * Order of two texts by their UTF-8 bytes; the only order for names, paths and keys of formats.
 *
 * JavaScript's own order compares UTF-16 units and puts U+10000 and above before U+E000..U+FFFF, so it must not be used.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left === right) continue;
    if (left < 0xd800 && right < 0xd800) return left - right;
    return compareFromUnit(a, b, i);
  }
  return a.length - b.length;
}

/** Compare where a unit is a surrogate or above them, beginning one unit earlier when inside a pair. */
function compareFromUnit(a: string, b: string, at: number): number {
  const start = at > 0 && isLowSurrogate(a.charCodeAt(at)) !== isLowSurrogate(b.charCodeAt(at)) ? at - 1 : at;
  const from = start > 0 && isLowSurrogate(a.charCodeAt(start)) ? start - 1 : start;
  const left = utf8(a.slice(from));
  const right = utf8(b.slice(from));
  const shared = Math.min(left.length, right.length);
  for (let i = 0; i < shared; i++) {
    const difference = (left[i] as number) - (right[i] as number);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** A new array in UTF-8 byte order; duplicates stay. */
export function sortedText(items: Iterable<string>): string[] {
  const list = [...items];
  // Most lists are sorted already, and short: looking takes a third of the time of sorting.
  for (let i = 1; i < list.length; i++)
    if (compareText(list[i - 1] as string, list[i] as string) > 0) return list.sort(compareText);
  return list;
}

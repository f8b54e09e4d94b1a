import { CodedError } from "./errors.ts";

/** Nix's 32 symbols: digits and lower-case letters without `e o u t`. */
export const BASE32_ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz";
const BASE16_ALPHABET = "0123456789abcdef";
const BASE64_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const BASE32_VALUES = valuesOf(BASE32_ALPHABET);
const BASE16_VALUES = valuesOf(BASE16_ALPHABET, "ABCDEF", 10);
const BASE64_VALUES = valuesOf(BASE64_ALPHABET);

/** Value by ASCII code, 255 for characters outside the alphabet. */
function valuesOf(alphabet: string, alternative = "", alternativeStart = 0): Uint8Array {
  const values = new Uint8Array(128).fill(255);
  for (let i = 0; i < alphabet.length; i++) values[alphabet.charCodeAt(i)] = i;
  for (let i = 0; i < alternative.length; i++) values[alternative.charCodeAt(i)] = alternativeStart + i;
  return values;
}

/** Longer texts are no digests, and errors should fit on a screen. */
const LONGEST_SHOWN = 160;

function valueAt(values: Uint8Array, text: string, index: number): number {
  const unit = text.charCodeAt(index);
  return unit < 128 ? (values[unit] as number) : 255;
}

function malformed(encoding: string, text: string, found: string): CodedError {
  const shown = text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}…` : text;
  return new CodedError(`${encoding}.malformed`, `Cannot read "${shown}" as ${encoding}: ${found}`);
}

/** Characters Nix's base 32 needs for so many bytes: 16 → 26, 20 → 32, 32 → 52, 64 → 103. */
export function base32Length(sizeBytes: number): number {
  return Math.ceil((sizeBytes * 8) / 5);
}

/**
 * Nix's base 32. Not RFC 4648: the bytes are one little-endian number, printed from its most significant five bits.
 *
 * Source: Nix, `src/libutil/hash.cc`, `printHash32`.
 */
export function toBase32(bytes: Uint8Array): string {
  let text = "";
  for (let n = base32Length(bytes.length) - 1; n >= 0; n--) {
    const bit = n * 5;
    const i = bit >> 3;
    const shift = bit & 7;
    const low = (bytes[i] as number) >> shift;
    const high = i + 1 < bytes.length ? (bytes[i + 1] as number) << (8 - shift) : 0;
    text += BASE32_ALPHABET[(low | high) & 31];
  }
  return text;
}

/**
 * Read Nix's base 32.
 *
 * @param sizeBytes Expected size; without it the largest number of whole bytes that needs so many characters.
 * @throws {CodedError} `base32.malformed` on a wrong length, a character outside the alphabet (upper case included), or
 *   bits beyond the last byte.
 */
export function fromBase32(text: string, sizeBytes = Math.floor((text.length * 5) / 8)): Uint8Array {
  if (text.length !== base32Length(sizeBytes)) {
    throw malformed(
      "base32",
      text,
      `found ${text.length} characters, expected ${base32Length(sizeBytes)} for ${sizeBytes} bytes`,
    );
  }
  const bytes = new Uint8Array(sizeBytes);
  for (let n = 0; n < text.length; n++) {
    const index = text.length - 1 - n;
    const value = valueAt(BASE32_VALUES, text, index);
    if (value === 255) throw malformed("base32", text, `found "${text[index]}", expected one of "${BASE32_ALPHABET}"`);
    const bit = n * 5;
    const i = bit >> 3;
    const shift = bit & 7;
    const spilled = value >> (8 - shift);
    if (i < sizeBytes) bytes[i] = (bytes[i] as number) | ((value << shift) & 255);
    if (i + 1 < sizeBytes) bytes[i + 1] = (bytes[i + 1] as number) | spilled;
    else if (spilled !== 0 || i >= sizeBytes) {
      throw malformed("base32", text, `its first character stands for bits beyond ${sizeBytes} bytes`);
    }
  }
  return bytes;
}

/** Of each byte. */
const BASE16_PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** Lower-case hexadecimal. */
export function toBase16(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += BASE16_PAIRS[byte] as string;
  return text;
}

/** @throws {CodedError} `base16.malformed` on an odd length or a character that is no hexadecimal digit of either case. */
export function fromBase16(text: string): Uint8Array {
  if (text.length % 2 !== 0)
    throw malformed("base16", text, `found ${text.length} characters, expected an even number`);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = valueAt(BASE16_VALUES, text, 2 * i);
    const low = valueAt(BASE16_VALUES, text, 2 * i + 1);
    if (high === 255 || low === 255) throw malformed("base16", text, "expected only hexadecimal digits");
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

/** RFC 4648 base 64 with padding, standard alphabet. */
export function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    const group =
      ((bytes[i] as number) << 16) |
      ((left > 1 ? (bytes[i + 1] as number) : 0) << 8) |
      (left > 2 ? (bytes[i + 2] as number) : 0);
    text += (BASE64_ALPHABET[group >> 18] as string) + BASE64_ALPHABET[(group >> 12) & 63];
    text += left > 1 ? BASE64_ALPHABET[(group >> 6) & 63] : "=";
    text += left > 2 ? BASE64_ALPHABET[group & 63] : "=";
  }
  return text;
}

/**
 * Read base 64 of the standard alphabet. Padding is optional, and reading stops at the first `=`, as in Nix.
 *
 * @throws {CodedError} `base64.malformed` on any other character, the URL-safe ones and white space included.
 */
export function fromBase64(text: string): Uint8Array {
  const end = text.indexOf("=");
  const length = end < 0 ? text.length : end;
  const bytes = new Uint8Array(Math.floor((length * 6) / 8));
  let pending = 0;
  let bits = 0;
  let size = 0;
  for (let i = 0; i < length; i++) {
    const value = valueAt(BASE64_VALUES, text, i);
    if (value === 255)
      throw malformed("base64", text, `found ${JSON.stringify(text[i])}, expected one of A-Z a-z 0-9 + /`);
    pending = ((pending << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[size++] = (pending >> bits) & 255;
    }
  }
  return bytes;
}

import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";

export type Encoding = "zstd" | "br" | "gzip";

/** Below this size the header costs as much as is saved. */
const WORTH_BYTES = 512;

const ENCODERS: Readonly<Record<Encoding, (bytes: Uint8Array) => Uint8Array>> = {
  zstd: (bytes) => zstdCompressSync(bytes),
  br: (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } }),
  gzip: (bytes) => gzipSync(bytes),
};

/**
 * The encoding that an `Accept-Encoding` header prefers of those we have; among equals the one that costs least.
 *
 * @returns `undefined` to send contents as they are: nothing else was asked for.
 *
 * Source: RFC 9110, section 12.5.3.
 */
export function chooseEncoding(header: string | undefined, sizeBytes: number): Encoding | undefined {
  if (header === undefined || sizeBytes < WORTH_BYTES) return undefined;
  const weights = new Map(
    header
      .split(",")
      .map((one) => /^([\w*-]+)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?$/i.exec(one.trim()))
      .flatMap((found) =>
        found === null ? [] : [[(found[1] as string).toLowerCase(), Number(found[2] ?? 1)] as const],
      ),
  );
  const weightOf = (name: string): number => weights.get(name) ?? weights.get("*") ?? 0;
  let best: Encoding | undefined;
  for (const name of Object.keys(ENCODERS) as Encoding[])
    if (weightOf(name) > (best === undefined ? 0 : weightOf(best))) best = name;
  // What is asked for as it is, and more than anything else, is sent so.
  return best !== undefined && (weights.get("identity") ?? 0) > weightOf(best) ? undefined : best;
}

export function encode(bytes: Uint8Array, encoding: Encoding): Uint8Array {
  return ENCODERS[encoding](bytes);
}

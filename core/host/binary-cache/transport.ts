import { CodedError } from "../../base/index.ts";

/** How the files of a binary cache are reached. Names are relative to its root: `nix-cache-info`, `nar/….nar.zst`. */
export interface CacheTransport {
  /** The address to show to people; without passwords. */
  readonly address: string;
  /** Whether files can be written. */
  readonly writable: boolean;
  /**
   * A small file as a whole, `undefined` when it is not there.
   *
   * @throws {CodedError} `cache.unreachable`; `cache.too-large` for more than `limitBytes`
   */
  read(name: string, limitBytes: number): Promise<Uint8Array | undefined>;
  /** @throws {CodedError} `cache.unreachable` */
  exists(name: string): Promise<boolean>;
  /**
   * A file of any size in pieces. A transfer that breaks goes on where it ended.
   *
   * @param name May be a whole address where the cache is one of the web.
   * @throws {CodedError} `cache.file-missing`, `cache.unreachable`, `cache.bad-url`
   */
  stream(name: string, options?: StreamOptions): AsyncIterable<Uint8Array>;
  /**
   * Write a file; readers see all of it or nothing, and it is durable.
   *
   * @throws {CodedError} `cache.unreachable`, `cache.not-writable`
   */
  write(name: string, contents: Uint8Array | SpooledFile, type: string): Promise<void>;
  /** Where files that are about to be written may grow. */
  spoolDirectory(): string;
  close(): void;
}

export interface StreamOptions {
  /** Whether a piece has to hold only until the next one is asked for, so that its memory may be used again. Default false. */
  readonly reuse?: boolean | undefined;
}

/** A finished file on this machine; writing it may move it away. */
export interface SpooledFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** sha256 of its bytes. */
  readonly sha256: Uint8Array;
}

/** The cache did not answer as a cache should: absent host, refusal, broken or endless transfer. */
export function unreachable(address: string, found: string, cause?: unknown): CodedError {
  return new CodedError("cache.unreachable", `Cannot use the cache "${address}": ${found}`, { cause });
}

export function fileMissing(address: string, name: string): CodedError {
  return new CodedError("cache.file-missing", `Cannot fetch "${name}" from the cache "${address}": it is not there`);
}

export function tooLarge(address: string, name: string, limitBytes: number): CodedError {
  return new CodedError(
    "cache.too-large",
    `Cannot read "${name}" from the cache "${address}": it has more than ${limitBytes} bytes`,
  );
}

export function badUrl(address: string, name: string, expected: string): CodedError {
  return new CodedError(
    "cache.bad-url",
    `Cannot fetch ${JSON.stringify(name)} from the cache "${address}": expected ${expected}`,
  );
}

const FAULTS = new Set([
  "cache-info.malformed",
  "nar.malformed",
  "narinfo.malformed",
  "signature.malformed",
  "signature.untrusted",
  "store.content-address-mismatch",
  "store.nar-mismatch",
]);

/**
 * Whether an error is the fault of a cache: it cannot be reached, or what it says is wrong. Whoever can do without the cache
 * then goes on as if it had not had the object.
 */
export function isCacheFault(error: unknown): error is CodedError {
  return error instanceof CodedError && (error.code.startsWith("cache.") || FAULTS.has(error.code));
}

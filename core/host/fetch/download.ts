import { createReadStream } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { CodedError, equalHashes, type Hash, type HashAlgorithm, type Hasher, makeHasher } from "../../base/index.ts";
import { DEFAULT_RETRY_POLICY, decideRetry, type RetryPolicy, showUrl } from "../../fetch/index.ts";
import type { Access } from "./access.ts";
import { askServer } from "./ask-server.ts";
import { downloadLimitBytes } from "./settings.ts";

export interface DownloadOptions {
  /** Addresses to try, in order: http, https or file. */
  readonly urls: readonly string[];
  /** File to write; replaced when it exists. */
  readonly to: string;
  readonly algorithm: HashAlgorithm;
  /**
   * Digest the content has to have. An address that gives other content is left for the next one; when none gives the
   * right one, the result is that of the last wrong one (its content need not be in the file), for the caller to complain about.
   */
  readonly expected?: Hash | undefined;
  /** Bytes so far, and all of them when the server says; called at most ten times a second. */
  readonly progress?: (url: string, doneBytes: number, totalBytes: number | undefined) => void;
  /** Something worth a line: another attempt, another address. */
  readonly notice?: (message: string) => void;
  readonly signal: AbortSignal;
  /** Who asks, for servers that want to know. Default: nobody says. */
  readonly access?: Access | undefined;
  /** Further fields of the question, their names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Do not follow a redirect from `https` to `http`: nothing else tells whether the content is right. Default false. */
  readonly keepSecure?: boolean;
  readonly policy?: RetryPolicy;
  /**
   * An address that gives more bytes than this is left for the next one, as soon as it says so or sends the first byte too many. Default
   * {@link downloadLimitBytes}.
   */
  readonly limitBytes?: number | undefined;
  /** An attempt in which no byte arrives for so long is given up. Default 60 s. */
  readonly stallMs?: number;
}

export interface Downloaded {
  /** The address that gave the content. */
  readonly url: string;
  readonly hash: Hash;
  readonly sizeBytes: number;
  /** Where the server says that just this content lies for good. */
  readonly immutable?: string;
  /** Seconds since 1970 when the content was last changed, as the server or the file system says. */
  readonly lastModified?: number;
}

/**
 * Download one file: retries with growing pauses, goes on where a broken transfer ended, tries the next address when one
 * fails, and hashes while it writes.
 *
 * @throws {CodedError} `fetch.unreachable`, with each address and what it answered; `fetch.too-large` where the last one gave
 *   more than it may.
 */
export async function download(options: DownloadOptions): Promise<Downloaded> {
  const { urls, signal, expected } = options;
  const answers: string[] = [];
  let wrong: Downloaded | undefined;
  const limitBytes = options.limitBytes ?? downloadLimitBytes();
  const target = new DownloadTarget(await open(options.to, "w+"), options.algorithm, limitBytes);
  let tooLarge: TooLarge | undefined;
  try {
    for (const url of urls) {
      tooLarge = undefined;
      const got = await downloadFrom(url, target, options, answers);
      if (got instanceof TooLarge) tooLarge = got;
      if (got === undefined || got instanceof TooLarge) continue;
      if (expected === undefined || equalHashes(got.hash, expected)) return got;
      wrong = got;
      answers.push(`${showUrl(url)}: other content than declared`);
      options.notice?.(`${showUrl(url)} has other content than declared`);
      if (url !== urls.at(-1)) await target.restart();
    }
  } finally {
    await target.file.close();
  }
  signal.throwIfAborted();
  if (wrong !== undefined) return wrong;
  if (tooLarge !== undefined) {
    throw new CodedError("fetch.too-large", `Cannot fetch "${showUrl(urls[0] ?? "")}": ${tooLarge.message}`, {
      details: answers,
      hint: 'The setting "maxDownload" says how much one download may have.',
      exitCode: 100,
    });
  }
  throw new CodedError("fetch.unreachable", `Cannot fetch "${showUrl(urls[0] ?? "")}": ${reasonFor(urls.length)}`, {
    details: answers,
    hint: "Check the network and the addresses; further mirrors can be named in ~/.config/floe/settings.json.",
    exitCode: 100,
  });
}

function reasonFor(count: number): string {
  return count === 1 ? "its address did not give it" : `none of its ${count} addresses gave it`;
}

/** A server gives more than it may; asking again would not help. */
class TooLarge extends Error {}

/** The file being written, with the hash of what is in it. */
class DownloadTarget {
  readonly file: FileHandle;
  readonly #limitBytes: number;
  readonly #algorithm: HashAlgorithm;
  #hasher: Hasher;
  sizeBytes = 0;
  immutable: string | undefined;
  lastModified: number | undefined;

  constructor(file: FileHandle, algorithm: HashAlgorithm, limitBytes: number) {
    this.file = file;
    this.#limitBytes = limitBytes;
    this.#algorithm = algorithm;
    this.#hasher = makeHasher(algorithm);
  }

  /** @throws {TooLarge} when this many bytes in all are more than there may be */
  checkSize(sizeBytes: number): void {
    if (sizeBytes > this.#limitBytes) throw new TooLarge(`it has more than ${this.#limitBytes} bytes`);
  }

  /** @throws {TooLarge} */
  async write(chunk: Uint8Array): Promise<void> {
    this.checkSize(this.sizeBytes + chunk.length);
    let at = 0;
    while (at < chunk.length)
      at += (await this.file.write(chunk, at, chunk.length - at, this.sizeBytes + at)).bytesWritten;
    this.#hasher.update(chunk);
    this.sizeBytes += chunk.length;
  }

  async restart(): Promise<void> {
    await this.file.truncate(0);
    this.#hasher = makeHasher(this.#algorithm);
    this.sizeBytes = 0;
  }

  hash(): Hash {
    return this.#hasher.digest();
  }
}

async function downloadFrom(
  url: string,
  target: DownloadTarget,
  options: DownloadOptions,
  answers: string[],
): Promise<Downloaded | TooLarge | undefined> {
  for (let attempt = 1; ; attempt++) {
    options.signal.throwIfAborted();
    let status: number | undefined;
    let retryAfter: string | undefined;
    let said: string;
    try {
      const failure = url.startsWith("file:")
        ? await copyFile(url, target, options)
        : await request(url, target, options);
      if (failure === undefined) {
        const { sizeBytes, immutable, lastModified } = target;
        const told = immutable === undefined ? {} : { immutable };
        const changed = lastModified === undefined ? {} : { lastModified };
        return { url, hash: target.hash(), sizeBytes, ...told, ...changed };
      }
      ({ status, retryAfter, said } = failure);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof TooLarge) {
        await target.restart();
        answers.push(`${showUrl(url)}: ${error.message}`);
        return error;
      }
      // A full disk will not get emptier by asking again.
      if ((error as NodeJS.ErrnoException).code === "ENOSPC") throw error;
      said = reasonOf(error);
    }
    const decision = decideRetry(
      { status: url.startsWith("file:") ? 404 : status, retryAfter, attempt, nowMs: Date.now(), random: Math.random() },
      options.policy ?? DEFAULT_RETRY_POLICY,
    );
    if (decision.kind === "next") {
      answers.push(`${showUrl(url)}: ${said}`);
      return undefined;
    }
    options.notice?.(`${showUrl(url)}: ${said}; trying again in ${(decision.delayMs / 1000).toFixed(1)} s`);
    await pause(decision.delayMs, undefined, { signal: options.signal });
  }
}

interface Refusal {
  readonly status?: number;
  readonly retryAfter?: string | undefined;
  readonly said: string;
}

async function request(url: string, target: DownloadTarget, options: DownloadOptions): Promise<Refusal | undefined> {
  const stallMs = options.stallMs ?? 60_000;
  const stalled = new AbortController();
  const giveUp = (): void => stalled.abort(new Error(`no data for ${stallMs / 1000} s`));
  let timer = setTimeout(giveUp, stallMs);
  const already = target.sizeBytes;
  try {
    const { response, immutable } = await askServer({
      url,
      // A compressed transfer of a file would not be the file.
      headers: {
        ...options.headers,
        "accept-encoding": "identity",
        ...(already > 0 ? { range: `bytes=${already}-` } : {}),
      },
      access: options.access,
      keepSecure: options.keepSecure,
      signal: AbortSignal.any([options.signal, stalled.signal]),
    });
    target.immutable = immutable;
    target.lastModified = secondsOf(Date.parse(response.headers.get("last-modified") ?? ""));
    if (response.status === 416 && already > 0) {
      await response.body?.cancel();
      await target.restart();
      return { said: "what was there already did not fit" };
    }
    if (!response.ok || response.body === null) {
      await response.body?.cancel();
      return {
        status: response.status,
        retryAfter: response.headers.get("retry-after") ?? undefined,
        said: `answered ${response.status} ${response.statusText}`.trim(),
      };
    }
    if (already > 0 && !continuesAt(response, already)) await target.restart();
    const length = Number(response.headers.get("content-length") ?? Number.NaN);
    const total = Number.isFinite(length) ? target.sizeBytes + length : undefined;
    target.checkSize(total ?? 0);
    let reported = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = setTimeout(giveUp, stallMs);
      await target.write(chunk);
      const now = performance.now();
      if (now - reported >= 100) {
        reported = now;
        options.progress?.(url, target.sizeBytes, total);
      }
    }
    options.progress?.(url, target.sizeBytes, total);
    return undefined;
  } finally {
    clearTimeout(timer);
    // Ends a transfer that is not read to its end; one that was does not mind.
    stalled.abort();
  }
}

function continuesAt(response: Response, offset: number): boolean {
  return response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${offset}-`) === true;
}

async function copyFile(url: string, target: DownloadTarget, options: DownloadOptions): Promise<Refusal | undefined> {
  const path = fileURLToPath(url);
  const found = await stat(path);
  if (!found.isFile()) return { said: "is no regular file" };
  await target.restart();
  target.lastModified = secondsOf(found.mtimeMs);
  target.checkSize(found.size);
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 18, signal: options.signal }))
    await target.write(chunk as Buffer);
  options.progress?.(url, target.sizeBytes, found.size);
  return undefined;
}

/** Whole seconds since 1970; `undefined` for what is no time since then. */
function secondsOf(ms: number): number | undefined {
  return ms >= 0 ? Math.floor(ms / 1000) : undefined;
}

/** The innermost reason of a failed transfer, which is what people need to know. */
function reasonOf(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause;
  if (!(reason instanceof Error)) return String(reason);
  const { code } = reason as NodeJS.ErrnoException;
  if (reason.message !== "") return reason.message;
  return code ?? reason.name;
}

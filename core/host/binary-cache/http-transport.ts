import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { CodedError, hashBytes } from "../../base/index.ts";
import { type Credentials, decideRetry, type RetryPolicy, showUrl } from "../../fetch/index.ts";
import { type Access, NO_ACCESS } from "../fetch/access.ts";
import {
  AnswerError,
  DEFAULT_HTTP_TIMEOUTS,
  discard,
  type HttpAnswer,
  HttpClient,
  type HttpRequest,
  type HttpTimeouts,
  TransferError,
} from "./http-client.ts";
import {
  badUrl,
  type CacheTransport,
  fileMissing,
  type SpooledFile,
  type StreamOptions,
  tooLarge,
  unreachable,
} from "./transport.ts";

export interface HttpTransportOptions {
  readonly timeouts?: Partial<HttpTimeouts> | undefined;
  /** For small files, where an absent cache should be noticed soon. Default: 3 attempts. */
  readonly lookupPolicy?: RetryPolicy | undefined;
  /** For archives; counted anew whenever bytes arrived. Default: 6 attempts. */
  readonly transferPolicy?: RetryPolicy | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Who we are for a host whose address does not say so. Default nobody. */
  readonly access?: Pick<Access, "known"> | undefined;
}

const LOOKUP_POLICY: RetryPolicy = { attempts: 3, baseDelayMs: 250, maxDelayMs: 10_000, jitter: "full" };
const TRANSFER_POLICY: RetryPolicy = { attempts: 6, baseDelayMs: 500, maxDelayMs: 60_000, jitter: "full" };

/** Statuses that mean "not there": caches behind storage services answer 403 for what they do not have. */
const ABSENT = new Set([403, 404, 410]);

/** A cache of the web. */
export class HttpTransport implements CacheTransport {
  readonly address: string;
  readonly writable: boolean = true;
  readonly #base: string;
  readonly #authorization: Readonly<Record<string, string>>;
  readonly #lookups: RetryPolicy;
  readonly #transfers: RetryPolicy;
  readonly #signal: AbortSignal | undefined;
  readonly #access: Pick<Access, "known">;
  protected readonly client: HttpClient;

  /** @param url Address of the cache's root; user and password in it are sent to its host alone. */
  constructor(url: URL, options: HttpTransportOptions = {}) {
    const { username, password } = url;
    this.#base = `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
    this.address = showUrl(this.#base);
    this.#authorization = username === "" ? {} : basic({ username: decode(username), password: decode(password) });
    this.#access = options.access ?? NO_ACCESS;
    this.#lookups = options.lookupPolicy ?? LOOKUP_POLICY;
    this.#transfers = options.transferPolicy ?? TRANSFER_POLICY;
    this.#signal = options.signal;
    this.client = new HttpClient({ ...DEFAULT_HTTP_TIMEOUTS, ...options.timeouts });
  }

  read(name: string, limitBytes: number): Promise<Uint8Array | undefined> {
    return this.#retrying(this.#lookups, async () => {
      const answer = await this.ask({ method: "GET", url: this.resolve(name), headers: ENCODED });
      if (ABSENT.has(answer.status)) return discard(answer.body) as undefined;
      if (answer.status !== 200) throw refusalOf(answer);
      const contents = await this.client.whole(answer, limitBytes);
      if (contents === undefined) throw tooLarge(this.address, name, limitBytes);
      return this.#decoded(name, contents, answer.headers["content-encoding"], limitBytes);
    });
  }

  exists(name: string): Promise<boolean> {
    return this.#retrying(this.#lookups, async () => {
      const answer = await this.ask({ method: "HEAD", url: this.resolve(name) });
      discard(answer.body);
      if (ABSENT.has(answer.status)) return false;
      if (answer.status === 200 || answer.status === 204) return true;
      throw refusalOf(answer);
    });
  }

  async *stream(name: string, { reuse = false }: StreamOptions = {}): AsyncGenerator<Uint8Array> {
    const url = this.resolve(name);
    let received = 0;
    let validator: string | undefined;
    for (let attempt = 1; ; attempt++) {
      const before = received;
      try {
        const range: Record<string, string> = received > 0 ? { range: `bytes=${received}-` } : {};
        if (received > 0 && validator !== undefined) range["if-range"] = validator;
        const answer = await this.ask({ method: "GET", url, headers: { ...IDENTITY, ...range } });
        if (ABSENT.has(answer.status)) {
          discard(answer.body);
          throw fileMissing(this.address, name);
        }
        if (answer.status !== 200 && answer.status !== 206) throw refusalOf(answer);
        let skip = received;
        if (answer.status === 206) {
          if (answer.headers["content-range"]?.startsWith(`bytes ${received}-`) !== true)
            throw new AnswerError(`it answered with the wrong part of "${name}"`);
          skip = 0;
        }
        const etag = answer.headers["etag"];
        if (received > 0 && answer.status === 200 && validator !== undefined && etag !== validator)
          throw new AnswerError(`"${name}" changed while it was fetched`);
        validator = etag?.startsWith('"') === true ? etag : undefined;
        for await (const piece of this.client.pieces(answer, { reuse })) {
          const fresh = skip === 0 ? piece : piece.subarray(Math.min(skip, piece.length));
          skip -= piece.length - fresh.length;
          if (fresh.length === 0) continue;
          received += fresh.length;
          yield fresh;
        }
        return;
      } catch (error) {
        if (received > before) attempt = 1;
        await this.#pauseBeforeNext(error, attempt, this.#transfers);
      }
    }
  }

  async write(name: string, contents: Uint8Array | SpooledFile, type: string): Promise<void> {
    const sizeBytes = contents instanceof Uint8Array ? contents.length : contents.sizeBytes;
    await this.#retrying(this.#transfers, async () => {
      const answer = await this.ask({
        method: "PUT",
        url: this.resolve(name),
        headers: { "content-type": type, "content-length": String(sizeBytes) },
        body:
          contents instanceof Uint8Array ? contents : createReadStream(contents.path, { highWaterMark: 256 * 1024 }),
        bodyHash: contents instanceof Uint8Array ? hashBytes("sha256", contents).digest : contents.sha256,
      });
      discard(answer.body);
      if (answer.status >= 200 && answer.status < 300) return;
      if (answer.status >= 500 || answer.status === 429) throw refusalOf(answer);
      throw new CodedError(
        "cache.not-writable",
        `Cannot write "${name}" to the cache "${this.address}": it answered ${answer.status}`,
      );
    });
  }

  spoolDirectory(): string {
    return tmpdir();
  }

  close(): void {
    this.client.close();
  }

  /** One attempt at a request of this cache. */
  protected ask(request: HttpRequest): Promise<HttpAnswer> {
    const own = request.url.href.startsWith(`${this.#base}/`) ? this.#authorization : {};
    const known = "authorization" in own ? undefined : this.#access.known(request.url);
    return this.client.request({
      ...request,
      headers: { ...own, ...(known === undefined ? {} : basic(known)), ...request.headers },
      signal: this.#signal,
    });
  }

  protected resolve(name: string): URL {
    const text = /^https?:\/\//i.test(name) ? name : `${this.#base}/${name.replace(/^\/+/, "")}`;
    const url = URL.parse(text);
    if (url === null || url.username !== "") throw badUrl(this.address, name, "a name in the cache or an address");
    return url;
  }

  protected async retryingTransfer<T>(run: () => Promise<T>): Promise<T> {
    return this.#retrying(this.#transfers, run);
  }

  async #retrying<T>(policy: RetryPolicy, run: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await run();
      } catch (error) {
        await this.#pauseBeforeNext(error, attempt, policy);
      }
    }
  }

  /** Small files may be stored compressed, whatever was asked for: `nix copy` can write narinfo files so. */
  #decoded(name: string, contents: Uint8Array, encoding: string | undefined, limitBytes: number): Uint8Array {
    if (encoding === undefined || encoding === "identity") return contents;
    const decode = DECODERS.get(encoding.toLowerCase());
    if (decode === undefined) throw unreachable(this.address, `"${name}" is encoded as ${JSON.stringify(encoding)}`);
    try {
      return new Uint8Array(decode(contents, { maxOutputLength: limitBytes }));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE")
        throw tooLarge(this.address, name, limitBytes);
      throw unreachable(this.address, `"${name}" is no ${encoding} data`, error);
    }
  }

  /** Wait until another attempt makes sense, or throw what there is to say. */
  async #pauseBeforeNext(error: unknown, attempt: number, policy: RetryPolicy): Promise<void> {
    this.#signal?.throwIfAborted();
    if (error instanceof AnswerError) throw unreachable(this.address, error.message, error);
    if (!(error instanceof TransferError)) throw error;
    const { status, retryAfter } = error instanceof Refusal ? error : { status: undefined, retryAfter: undefined };
    const decision = decideRetry({ status, retryAfter, attempt, nowMs: Date.now(), random: Math.random() }, policy);
    if (decision.kind === "next") throw unreachable(this.address, error.message, error);
    await pause(decision.delayMs, undefined, { signal: this.#signal });
  }
}

function basic({ username, password }: Credentials): Readonly<Record<string, string>> {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

type Decoder = (data: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ["gzip", gunzipSync],
  ["br", brotliDecompressSync],
  ["zstd", zstdDecompressSync],
]);

/** What is small may come encoded. */
const ENCODED = { "accept-encoding": [...DECODERS.keys()].reverse().join(", ") };
/** A compressed transfer of a file would not be the file. */
const IDENTITY = { "accept-encoding": "identity" };

/** An answer that is none of what was asked for. */
class Refusal extends TransferError {
  readonly status: number;
  readonly retryAfter: string | undefined;

  constructor(status: number, retryAfter: string | undefined) {
    super(`it answered ${status}`);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/** The answer as an error; its content is let go. */
export function refusalOf(answer: HttpAnswer): TransferError {
  discard(answer.body);
  return new Refusal(answer.status, answer.headers["retry-after"]);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

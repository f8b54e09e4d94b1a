import type { Agent as HttpAgent, ClientRequest, IncomingMessage } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { obeyNetworkHabits } from "../process/index.ts";
import { Inbox } from "./inbox.ts";
import { readToKeptMemory } from "./kept-reading.ts";

// An import of these asks for each thing they export, and so loads the whole of fetch as well, which takes 50 ms.
const http = process.getBuiltinModule("node:http");
const https = process.getBuiltinModule("node:https");

/** How long one is waited for, in milliseconds. */
export interface HttpTimeouts {
  /** For a connection. */
  readonly connectMs: number;
  /** For an answer to begin, and for it to go on. */
  readonly stallMs: number;
  /** For a small answer as a whole. */
  readonly answerMs: number;
}

export const DEFAULT_HTTP_TIMEOUTS: HttpTimeouts = { connectMs: 10_000, stallMs: 60_000, answerMs: 30_000 };

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Written once the connection stands. Its size must be among the headers. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
  /** sha256 of the body, for services that want it signed. */
  readonly bodyHash?: Uint8Array | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The answer's content; read it to its end or {@link discard} it. */
  readonly body: IncomingMessage;
  /** Where redirections ended. */
  readonly url: URL;
}

const MOST_CONNECTIONS = 25;
const MOST_REDIRECTIONS = 10;
/** A transfer that is slower for as long as a stall may last is no better than one that stands still. Bytes a second. */
const LOWEST_RATE = 512;
/** An idle connection is kept so long for the next request. */
const IDLE_MS = 15_000;

/** Something between us and the server went wrong; another attempt may help. */
export class TransferError extends Error {}
/** The server leads us astray; another attempt would not help. */
export class AnswerError extends Error {}

/** Requests of one cache: kept connections, at most 25 at once, proxies and certificates as the machine has them. */
export class HttpClient {
  readonly #timeouts: HttpTimeouts;
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent };

  constructor(timeouts: HttpTimeouts) {
    this.#timeouts = timeouts;
    const options = {
      keepAlive: true,
      maxSockets: MOST_CONNECTIONS,
      timeout: IDLE_MS + timeouts.stallMs,
      proxyEnv: process.env,
    };
    this.#agents = { http: new http.Agent(options), https: new https.Agent(options) };
    // A way through a proxy is asked for on the connection itself, by who reads it in the usual way.
    readToKeptMemory(this.#agents.http);
    if (!hasSecureProxy(process.env)) readToKeptMemory(this.#agents.https);
  }

  /**
   * Ask, following redirections of questions. Whatever the status is, it is an answer.
   *
   * @throws {TransferError} when no answer came. @throws {AnswerError} when redirections do not end or leave the web.
   */
  async request(request: HttpRequest): Promise<HttpAnswer> {
    let { url, headers = {} } = request;
    for (let hops = 0; ; hops++) {
      await obeyNetworkHabits(url.protocol === "https:");
      const body = await this.#ask({ ...request, url, headers });
      const status = body.statusCode ?? 0;
      const { location } = body.headers;
      const isQuestion = request.method === "GET" || request.method === "HEAD";
      if (![301, 302, 303, 307, 308].includes(status) || location === undefined || !isQuestion)
        return { status, headers: body.headers as HttpAnswer["headers"], body, url };
      discard(body);
      if (hops === MOST_REDIRECTIONS) throw new AnswerError(`it redirects more than ${MOST_REDIRECTIONS} times`);
      const next = URL.parse(location, url.href);
      if (next === null || !["http:", "https:"].includes(next.protocol))
        throw new AnswerError(`it redirects to ${JSON.stringify(location.slice(0, 200))}`);
      // What is known to one server is no business of another.
      if (next.origin !== url.origin)
        headers = Object.fromEntries(Object.entries(headers).filter(([name]) => name !== "authorization"));
      url = next;
    }
  }

  /**
   * The content of an answer, as it comes; it is waited for only while it is asked for.
   *
   * With `reuse`, a piece holds only until the next one is asked for. Default false.
   */
  async *pieces(
    { body }: HttpAnswer,
    { reuse = false }: { readonly reuse?: boolean } = {},
  ): AsyncGenerator<Uint8Array> {
    const { stallMs } = this.#timeouts;
    const inbox = new Inbox(body, { reuse });
    let waitedMs = 0;
    let windowBytes = 0;
    try {
      for (;;) {
        const piece = inbox.take();
        if (piece !== undefined) {
          windowBytes += piece.length;
          if (windowBytes >= (LOWEST_RATE * stallMs) / 1000) waitedMs = windowBytes = 0;
          yield piece;
          continue;
        }
        if (inbox.isOver) break;
        const asked = performance.now();
        await within(stallMs - waitedMs, inbox.more(), () =>
          body.destroy(new TransferError(`no data for ${stallMs / 1000} s`)),
        );
        waitedMs += performance.now() - asked;
      }
      if (!body.complete) throw new TransferError("the transfer was cut short");
    } catch (error) {
      throw error instanceof TransferError ? error : new TransferError(reasonOf(error), { cause: error });
    } finally {
      if (!body.complete) body.destroy();
      inbox.close();
    }
  }

  /** The content of a small answer; `undefined` when it is larger than the limit. @throws {TransferError} */
  async whole(answer: HttpAnswer, limitBytes: number): Promise<Uint8Array | undefined> {
    const { answerMs } = this.#timeouts;
    const late = setTimeout(
      () => answer.body.destroy(new TransferError(`no whole answer within ${answerMs / 1000} s`)),
      answerMs,
    );
    try {
      const parts: Uint8Array[] = [];
      let size = 0;
      for await (const piece of this.pieces(answer)) {
        size += piece.length;
        if (size > limitBytes) return undefined;
        parts.push(piece);
      }
      return new Uint8Array(Buffer.concat(parts, size));
    } finally {
      clearTimeout(late);
    }
  }

  close(): void {
    this.#agents.http.destroy();
    this.#agents.https.destroy();
  }

  #ask({ method, url, headers = {}, body, signal }: HttpRequest): Promise<IncomingMessage> {
    const { connectMs, stallMs } = this.#timeouts;
    const secure = url.protocol === "https:";
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).request(url, {
        method,
        agent: secure ? this.#agents.https : this.#agents.http,
        signal,
        headers: { "user-agent": "floe", ...headers },
      });
      const isWhole = body === undefined || body instanceof Uint8Array;
      let timer: NodeJS.Timeout | undefined;
      let isAnswered = false;
      const wait = (ms: number, what: string): void => {
        clearTimeout(timer);
        timer = setTimeout(() => request.destroy(new TransferError(`${what} within ${ms / 1000} s`)), ms);
      };
      // A request that waits for its turn behind others does not run out of time.
      request.on("socket", (socket) => {
        const connected = (): void => (isWhole ? wait(stallMs, "no answer") : clearTimeout(timer));
        if (!socket.connecting) return connected();
        wait(connectMs, "no connection");
        socket.once(secure ? "secureConnect" : "connect", connected);
      });
      request.on("response", (response) => {
        clearTimeout(timer);
        isAnswered = true;
        // Errors reach whoever reads; without a reader they must not end the process.
        response.on("error", () => {});
        resolve(response);
      });
      request.on("error", (error) => {
        clearTimeout(timer);
        if (signal?.aborted === true) reject(signal.reason);
        else reject(error instanceof TransferError ? error : new TransferError(reasonOf(error), { cause: error }));
      });
      // What is to be written has its own clock; the answer's begins when all of it was taken.
      request.on("finish", () => {
        if (!isWhole && !isAnswered) wait(stallMs, "no answer");
      });
      if (body === undefined || body instanceof Uint8Array) request.end(body);
      else void send(request, body, stallMs);
    });
  }
}

function hasSecureProxy({ https_proxy, HTTPS_PROXY }: NodeJS.ProcessEnv): boolean {
  return [https_proxy, HTTPS_PROXY].some((proxy) => proxy !== undefined && proxy !== "");
}

/** Let an answer go that is of no interest; a short one leaves its connection usable. */
export function discard(body: IncomingMessage): void {
  const length = Number(body.headers["content-length"]);
  if (length <= 64 * 1024) body.resume();
  else body.destroy();
}

async function send(request: ClientRequest, body: AsyncIterable<Uint8Array>, stallMs: number): Promise<void> {
  try {
    for await (const piece of body) {
      if (request.destroyed) return;
      if (request.write(piece)) continue;
      const drained = new Promise<void>((resolve) => {
        const done = (): void => {
          request.off("drain", done).off("close", done);
          resolve();
        };
        request.on("drain", done).on("close", done);
      });
      await within(stallMs, drained, () =>
        request.destroy(new TransferError(`nothing was taken for ${stallMs / 1000} s`)),
      );
    }
    request.end();
  } catch (error) {
    request.destroy(error as Error);
  }
}

async function within<T>(ms: number, promise: Promise<T>, late: () => void): Promise<T> {
  const timer = setTimeout(late, Math.max(1, ms));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** The innermost reason, which is what people need to know. */
function reasonOf(error: unknown): string {
  let reason = error;
  while (reason instanceof Error && reason.cause !== undefined) reason = reason.cause;
  if (reason instanceof AggregateError) reason = reason.errors[0];
  if (!(reason instanceof Error)) return String(reason);
  const { code } = reason as NodeJS.ErrnoException;
  return reason.message !== "" ? reason.message : (code ?? reason.name);
}

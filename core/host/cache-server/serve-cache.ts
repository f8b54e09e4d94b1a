import type { IncomingMessage, ServerResponse } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress } from "node:zlib";
import { CodedError } from "../../base/index.ts";
import { type Answer, answerTo, type Offer } from "./answers.ts";
import { chooseEncoding, encode } from "./encoding.ts";
import { cutToRange, matchesTag, parseRange } from "./range.ts";

// An import asks for each thing it exports, and so loads the whole of fetch as well, which takes 50 ms.
const http = process.getBuiltinModule("node:http");

export interface ServeCacheOptions extends Offer {
  /** Address to listen at. */
  readonly listen: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Told of each request that was answered. */
  readonly answered?: ((method: string, path: string, status: number) => void) | undefined;
  /** A client that takes nothing for so long is sent away. Default 60 s. */
  readonly stallMs?: number;
}

export interface CacheServer {
  /** `http://ADDRESS:PORT` */
  readonly url: string;
  /** Take no more requests, finish those under way (but wait no longer than `graceMs`), and end. */
  close(graceMs?: number): Promise<void>;
}

/** Enough for many machines at once; more wait in the queue of the system. */
const MOST_CONNECTIONS = 512;
const HEADERS_MS = 10_000;
const REQUEST_MS = 20_000;
const KEEP_ALIVE_MS = 30_000;

/**
 * Serve a store of this machine as a binary cache, to anybody who can connect. Nothing is written.
 *
 * @throws {CodedError} `cache-server.cannot-listen`
 */
export async function serveCache(options: ServeCacheOptions): Promise<CacheServer> {
  const { stallMs = 60_000 } = options;
  const server = http.createServer(
    {
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => {
      // What clients send beside their question is not read.
      request.resume();
      response.setTimeout(stallMs, () => response.destroy());
      void respond(request, response, options).catch(() => {
        // Too late for words, or the client went away: a broken answer tells it.
        response.destroy();
      });
      response.on("finish", () => options.answered?.(request.method ?? "", request.url ?? "", response.statusCode));
    },
  );
  server.maxConnections = MOST_CONNECTIONS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) =>
      reject(
        new CodedError(
          "cache-server.cannot-listen",
          `Cannot listen at "${options.listen}" port ${options.port}: ${cause.message}`,
          { cause },
        ),
      ),
    );
    server.listen(options.port, options.listen, resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${isIPv6(address) ? `[${address}]` : address}:${port}`,
    close: (graceMs = 10_000) =>
      new Promise((resolve) => {
        const late = setTimeout(() => server.closeAllConnections(), graceMs);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

async function respond(request: IncomingMessage, response: ServerResponse, offer: Offer): Promise<void> {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return end(response, 405, { allow: "GET, HEAD" }, "This cache is only read.\n");
  }
  let answer: Answer;
  try {
    answer = await answerTo((request.url ?? "").split("?", 1)[0] ?? "", offer);
  } catch {
    return end(response, 500, {}, "The store could not be read.\n");
  }
  if (answer.kind === "absent") return end(response, 404, {}, "Not here.\n");
  const headers = {
    etag: answer.tag,
    "cache-control": answer.kind === "archive" ? "public, max-age=31536000, immutable" : "no-cache",
  };
  if (answer.kind === "bytes") return sendBytes(request, response, answer, headers);
  if (matchesTag(request.headers["if-none-match"], answer.tag)) return end(response, 304, headers);
  await sendArchive(request, response, answer, headers);
}

/** Encoded contents have a tag of their own: they are other bytes. */
function sendBytes(
  request: IncomingMessage,
  response: ServerResponse,
  { bytes, type, tag }: Answer & { readonly kind: "bytes" },
  headers: Readonly<Record<string, string>>,
): void {
  const encoding = chooseEncoding(request.headers["accept-encoding"], bytes.length);
  const etag = encoding === undefined ? tag : tag.replace(/"$/, `-${encoding}"`);
  const all = { ...headers, etag, vary: "accept-encoding" };
  if (matchesTag(request.headers["if-none-match"], etag)) return end(response, 304, all);
  const contents = encoding === undefined ? bytes : encode(bytes, encoding);
  response.writeHead(200, {
    ...all,
    "content-type": type,
    "content-length": contents.length,
    ...(encoding === undefined ? {} : { "content-encoding": encoding }),
  });
  response.end(contents);
}

async function sendArchive(
  request: IncomingMessage,
  response: ServerResponse,
  { pieces, sizeBytes, tag, compression }: Answer & { readonly kind: "archive" },
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  const all = { ...headers, "content-type": "application/x-nix-nar" };
  if (compression === "zstd") {
    response.writeHead(200, all);
    if (request.method === "HEAD") return void response.end();
    const compressor = createZstdCompress({
      chunkSize: 256 * 1024,
      params: { [constants.ZSTD_c_compressionLevel]: 1 },
    });
    return pipeline(pieces(), compressor, response);
  }
  const condition = request.headers["if-range"];
  const wanted =
    condition === undefined || condition === tag ? parseRange(request.headers.range, sizeBytes) : undefined;
  if (wanted === "unsatisfiable") return end(response, 416, { "content-range": `bytes */${sizeBytes}` });
  const { first, last } = wanted ?? { first: 0, last: sizeBytes - 1 };
  response.writeHead(wanted === undefined ? 200 : 206, {
    ...all,
    "accept-ranges": "bytes",
    "content-length": last - first + 1,
    ...(wanted === undefined ? {} : { "content-range": `bytes ${first}-${last}/${sizeBytes}` }),
  });
  if (request.method === "HEAD") return void response.end();
  const part = wanted === undefined ? pieces() : cutToRange(pieces(), wanted);
  await pipeline(exactly(part, last - first + 1), response);
}

/** An object that was changed on disk breaks the answer; its bytes must not be taken for the next one. */
async function* exactly(pieces: AsyncIterable<Uint8Array>, sizeBytes: number): AsyncGenerator<Uint8Array> {
  let left = sizeBytes;
  for await (const piece of pieces) {
    left -= piece.length;
    if (left < 0) break;
    yield piece;
  }
  if (left !== 0) throw new Error("the archive has another size than was registered");
}

function end(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  words: string = "",
): void {
  const withLength = status === 304 ? headers : { ...headers, "content-length": String(Buffer.byteLength(words)) };
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8", ...withLength });
  response.end(words);
}

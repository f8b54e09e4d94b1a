import { createReadStream, createWriteStream, existsSync, mkdirSync, statSync } from "node:fs";
import https from "node:https";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";

/** Takes over an answer: true when it has dealt with it. */
export type Hook = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface TestServer {
  /** `http://127.0.0.1:PORT`, or `https://…` */
  readonly url: string;
  /** Method and path of every request, in order. */
  readonly log: string[];
  /** Connections made so far. */
  readonly connections: () => number;
  /** Asked before the files are. */
  hook: Hook | undefined;
  close(): Promise<void>;
}

/** What a server shows of itself, as PEM. */
export interface TestCertificate {
  readonly key: string;
  readonly cert: string;
}

/** An ordinary web server on this machine alone: files of a directory, ranges, entity tags and uploads. For tests. */
export async function serveDirectory(directory: string, secure?: TestCertificate): Promise<TestServer> {
  let connections = 0;
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    test.log.push(`${request.method} ${request.url}`);
    void (async () => {
      if ((await test.hook?.(request, response)) !== true) await serveFile(directory, request, response);
    })().catch(() => response.destroy());
  };
  const server = secure === undefined ? http.createServer(answer) : https.createServer(secure, answer);
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const test: TestServer = {
    url: `${secure === undefined ? "http" : "https"}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log: [],
    connections: () => connections,
    hook: undefined,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return test;
}

async function serveFile(directory: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = join(directory, decodeURIComponent((request.url ?? "").split("?")[0] ?? ""));
  if (request.method === "PUT") {
    mkdirSync(dirname(path), { recursive: true });
    await pipeline(request, createWriteStream(path));
    response.writeHead(201).end();
    return;
  }
  if (!existsSync(path) || !statSync(path).isFile()) {
    response.writeHead(404, { "content-length": 0 }).end();
    return;
  }
  const { size, mtimeMs } = statSync(path);
  const etag = `"${size}-${mtimeMs}"`;
  const [, first] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
  const fits = request.headers["if-range"] === undefined || request.headers["if-range"] === etag;
  const start = first !== undefined && fits ? Number(first) : 0;
  response.writeHead(start > 0 ? 206 : 200, {
    etag,
    "content-length": size - start,
    ...(start > 0 ? { "content-range": `bytes ${start}-${size - 1}/${size}` } : {}),
  });
  if (request.method === "HEAD" || size === 0) response.end();
  else await pipeline(createReadStream(path, { start }), response);
}

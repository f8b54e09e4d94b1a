import { createReadStream, createWriteStream, existsSync, mkdirSync, statSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";

/** Takes over an answer: true when it has dealt with it. */
export type Hook = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

export interface TestServer {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Method and path of every request, in order. */
  readonly log: string[];
  /** Connections made so far. */
  readonly connections: () => number;
  /** Asked before the files are. */
  hook: Hook | undefined;
  close(): Promise<void>;
}

/** An ordinary web server on this machine alone: files of a directory, ranges, entity tags and uploads. For tests. */
export async function serveDirectory(directory: string): Promise<TestServer> {
  let connections = 0;
  const server = http.createServer((request, response) => {
    test.log.push(`${request.method} ${request.url}`);
    void (async () => {
      if ((await test.hook?.(request, response)) !== true) await serveFile(directory, request, response);
    })().catch(() => response.destroy());
  });
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const test: TestServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
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

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { pathToFileURL } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, equalHashes, hashBytes } from "../../base/index.ts";
import { type Downloaded, download, type DownloadOptions } from "./download.ts";

const test = suite("download");
const CONTENT = Buffer.from("0123456789".repeat(20_000));
const policy = { attempts: 3, baseDelayMs: 10, maxDelayMs: 2000 };
const directory = mkdtempSync(`${tmpdir()}/floe-download-`);
const to = `${directory}/file`;

/** Run with a server of this machine; its requests are counted by path. */
async function withServer(
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
  run: (base: string, requests: IncomingMessage[]) => Promise<void>,
): Promise<void> {
  const requests: IncomingMessage[] = [];
  const server: Server = createServer((request, response) => {
    requests.push(request);
    answer(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function get(urls: string[], options: Partial<DownloadOptions> = {}): Promise<Downloaded> {
  return download({ urls, to, algorithm: "sha256", signal: new AbortController().signal, policy, ...options });
}

test("download() writes and hashes, and tells how far it is", async () => {
  await withServer(
    (_request, response) => response.end(CONTENT),
    async (base) => {
      const seen: (number | undefined)[][] = [];
      const got = await get([`${base}/a`], { progress: (_url, done, total) => seen.push([done, total]) });
      assert.ok(equalHashes(got.hash, hashBytes("sha256", CONTENT)));
      assert.is(got.sizeBytes, CONTENT.length);
      assert.ok(readFileSync(to).equals(CONTENT));
      assert.is(seen.at(-1)?.[0], CONTENT.length);
    },
  );
});

test("download() tries again after a server's trouble", async () => {
  await withServer(
    (_request, response, count) => {
      response.statusCode = count < 3 ? 503 : 200;
      response.end(count < 3 ? "busy" : CONTENT);
    },
    async (base, requests) => {
      const notices: string[] = [];
      await get([`${base}/a`], { notice: (message) => notices.push(message) });
      assert.is(requests.length, 3);
      assert.match(notices[0] ?? "", "answered 503 Service Unavailable; trying again");
      assert.ok(readFileSync(to).equals(CONTENT));
    },
  );
});

test("download() obeys Retry-After", async () => {
  await withServer(
    (_request, response, count) => {
      if (count === 1) response.writeHead(429, { "retry-after": "1" });
      response.end(CONTENT);
    },
    async (base) => {
      const started = performance.now();
      await get([`${base}/a`]);
      assert.ok(performance.now() - started >= 950);
    },
  );
});

test("download() goes on where a broken transfer ended", async () => {
  await withServer(
    (request, response, count) => {
      if (count === 1) {
        response.writeHead(200, { "content-length": CONTENT.length });
        response.write(CONTENT.subarray(0, 150_000), () => setTimeout(() => response.destroy(), 50));
        return;
      }
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1]);
      response.writeHead(206, {
        "content-range": `bytes ${from}-${CONTENT.length - 1}/${CONTENT.length}`,
        "content-length": CONTENT.length - from,
      });
      response.end(CONTENT.subarray(from));
    },
    async (base, requests) => {
      const got = await get([`${base}/a`]);
      assert.is(requests.length, 2);
      assert.match(requests[1]?.headers.range ?? "", /^bytes=[1-9]/);
      assert.ok(equalHashes(got.hash, hashBytes("sha256", CONTENT)));
      assert.ok(readFileSync(to).equals(CONTENT));
    },
  );
});

test("download() begins anew when the server does not go on", async () => {
  await withServer(
    (_request, response, count) => {
      response.writeHead(200, { "content-length": CONTENT.length });
      if (count === 1) response.write(CONTENT.subarray(0, 150_000), () => setTimeout(() => response.destroy(), 50));
      else response.end(CONTENT);
    },
    async (base) => {
      const got = await get([`${base}/a`]);
      assert.is(got.sizeBytes, CONTENT.length);
      assert.ok(equalHashes(got.hash, hashBytes("sha256", CONTENT)));
    },
  );
});

test("download() gives up an attempt in which nothing arrives", async () => {
  await withServer(
    (_request, response, count) => {
      if (count > 1) response.end(CONTENT);
    },
    async (base, requests) => {
      // On a busy host an attempt that is answered may take longer than that as well.
      await get([`${base}/a`], { stallMs: 100, policy: { ...policy, attempts: 100 } });
      assert.ok(requests.length >= 2);
    },
  );
});

test("download() takes the next address, and says what each answered when none will do", async () => {
  await withServer(
    (request, response) => {
      response.statusCode = request.url === "/good" ? 200 : 404;
      response.end(CONTENT);
    },
    async (base, requests) => {
      assert.is((await get([`${base}/a`, `${base}/good`])).url, `${base}/good`);
      assert.is(requests.length, 2);
      const error = await get([`${base}/a?token=secret`, "http://127.0.0.1:1/b"], {
        policy: { ...policy, attempts: 1 },
      }).then(
        () => undefined,
        (thrown: { code: string; details: string[]; exitCode: number }) => thrown,
      );
      assert.equal([error?.code, error?.exitCode], ["fetch.unreachable", 100]);
      assert.is(error?.details[0], `${base}/a: answered 404 Not Found`);
      assert.match(error?.details[1] ?? "", /^http:\/\/127\.0\.0\.1:1\/b: ./);
    },
  );
});

test("download() leaves an address with wrong content, and reports its hash when there is no better one", async () => {
  const expected = hashBytes("sha256", CONTENT);
  await withServer(
    (request, response) => response.end(request.url === "/good" ? CONTENT : "an error page"),
    async (base) => {
      const good = await get([`${base}/bad`, `${base}/good`], { expected });
      assert.ok(equalHashes(good.hash, expected));
      assert.ok(readFileSync(to).equals(CONTENT));
      const bad = await get([`${base}/bad`, "http://127.0.0.1:1/gone"], {
        expected,
        policy: { ...policy, attempts: 1 },
      });
      assert.ok(equalHashes(bad.hash, hashBytes("sha256", "an error page")));
    },
  );
});

test("download() reads files of this machine", async () => {
  writeFileSync(`${directory}/here file`, CONTENT);
  assert.is((await get([pathToFileURL(`${directory}/here file`).href])).sizeBytes, CONTENT.length);
  const error = await get([pathToFileURL(`${directory}/missing`).href]).catch((thrown: { code: string }) => thrown);
  assert.is((error as { code: string }).code, "fetch.unreachable");
});

test("download() stops when it is cancelled", async () => {
  await withServer(
    (_request, response) => void response.write("begin"),
    async (base) => {
      const abort = new AbortController();
      setTimeout(() => abort.abort(), 50);
      const error = await get([`${base}/a`], { signal: abort.signal }).catch((thrown: Error) => thrown);
      assert.is((error as Error).name, "AbortError");
    },
  );
});

test.after(() => rmSync(directory, { recursive: true }));
test("download() takes no more than it may: fetch.too-large, said beforehand or not, and no second question", async () => {
  const flood = (response: ServerResponse): void => {
    while (!response.destroyed && response.write(CONTENT));
    if (!response.destroyed) response.once("drain", () => flood(response));
  };
  const limitBytes = CONTENT.length - 1;
  for (const answer of [
    (response: ServerResponse) => response.end(CONTENT),
    (response: ServerResponse) => flood(response),
    (response: ServerResponse) => {
      // More than any disk holds is not even begun.
      response.writeHead(200, { "content-length": "9000000000000000" });
      response.flushHeaders();
    },
  ]) {
    await withServer(
      (_request, response) => answer(response),
      async (base, requests) => {
        const error = await get([`${base}/a`], { limitBytes }).then(
          () => assert.unreachable() as never,
          (found: CodedError) => found,
        );
        assert.is(error.code, "fetch.too-large");
        assert.is(error.message, `Cannot fetch "${base}/a": it has more than ${limitBytes} bytes`);
        assert.match(error.hint ?? "", "maxDownload");
        assert.is(requests.length, 1);
        assert.is(statSync(to).size, 0);
      },
    );
  }
});

test("download() leaves an address that gives too much for the next one", async () => {
  await withServer(
    (request, response) => response.end(request.url === "/large" ? Buffer.concat([CONTENT, CONTENT]) : CONTENT),
    async (base, requests) => {
      const got = await get([`${base}/large`, `${base}/right`], { limitBytes: CONTENT.length });
      assert.equal([got.url, got.sizeBytes], [`${base}/right`, CONTENT.length]);
      assert.ok(readFileSync(to).equals(CONTENT));
      assert.is(requests[1]?.headers.range, undefined);
    },
  );
  writeFileSync(`${directory}/own`, CONTENT);
  const url = pathToFileURL(`${directory}/own`).href;
  assert.is((await get([url], { limitBytes: CONTENT.length })).sizeBytes, CONTENT.length);
  const code = await get([url], { limitBytes: 5 }).catch((error: CodedError) => error.code);
  assert.is(code, "fetch.too-large");
});

test.run();

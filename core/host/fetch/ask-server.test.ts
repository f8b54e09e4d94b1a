import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeCertificate, temporaryFolder } from "../git/testing.ts";
import type { Access } from "./access.ts";
import { askServer, immutableLink } from "./ask-server.ts";

const certificate = makeCertificate(temporaryFolder());
// Before the first connection: certificates are read once.
if (certificate !== undefined) process.env["NIX_SSL_CERT_FILE"] = certificate.certFile;

interface Asked {
  readonly path: string;
  readonly method: string;
  readonly body: string;
  readonly authorization: string;
}

/** Run with a server that answers by the path, and keeps what it was asked. */
async function withServer(
  answer: (path: string, response: ServerResponse, authorization: string) => void,
  run: (base: string, asked: Asked[]) => Promise<void>,
  tls?: { key: string; cert: string },
): Promise<void> {
  const asked: Asked[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = "";
    for await (const piece of request) body += piece;
    const { url: path = "", method = "", headers } = request;
    const authorization = headers.authorization ?? "";
    asked.push({ path, method, body, authorization });
    answer(path, response, authorization);
  };
  const server = tls === undefined ? createServer(handle) : createSecureServer(tls, handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run(`http${tls === undefined ? "" : "s"}://127.0.0.1:${(server.address() as AddressInfo).port}`, asked);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const redirect = (response: ServerResponse, location: string, status = 302): void =>
  void response.writeHead(status, { location }).end();
const messageOf = (run: Promise<unknown>): Promise<string> =>
  run.then(
    () => "answered",
    (error: Error) => error.message,
  );

test("immutableLink() finds the address with this relation, wherever it stands", () => {
  const find = (field: string | null): string | undefined => immutableLink(field, new URL("https://a.example/x/y"));
  assert.is(find('<https://b.example/1.tar.gz?rev=1>; rel="immutable"'), "https://b.example/1.tar.gz?rev=1");
  assert.is(find("</1>; rel=immutable"), "https://a.example/1");
  assert.is(find('<2>; title="a, b"; rel="next", <3>; type=x; rel="other Immutable"'), "https://a.example/x/3");
  for (const field of [null, "", "<1>", '<1>; rel="next"', "immutable", '<http://[>; rel="immutable"'])
    assert.is(find(field), undefined, String(field));
});

test("askServer() keeps method and body over a redirect, but for one that says otherwise", async () => {
  await withServer(
    (path, response) => {
      if (path === "/a") redirect(response, "/b", 301);
      else if (path === "/b") redirect(response, "/c", 303);
      else response.end("here");
    },
    async (base, asked) => {
      const { response, url } = await askServer({ url: `${base}/a`, method: "POST", body: Buffer.from("words") });
      assert.equal([await response.text(), url], ["here", `${base}/c`]);
      assert.equal(
        asked.map(({ path, method, body }) => [path, method, body]),
        [
          ["/a", "POST", "words"],
          ["/b", "POST", "words"],
          ["/c", "GET", ""],
        ],
      );
    },
  );
});

test("askServer() gives up what leads on and on, or to another kind of address", async () => {
  await withServer(
    (path, response) => redirect(response, path === "/file" ? "file:///etc/passwd" : "/again"),
    async (base) => {
      assert.match(await messageOf(askServer({ url: `${base}/x` })), "leads on and on");
      assert.match(await messageOf(askServer({ url: `${base}/file` })), 'the kind "file:"');
    },
  );
});

test("askServer() stays with https where it is told to", async () => {
  if (certificate === undefined) return console.log("skipped: there is no openssl");
  await withServer(
    (_path, response) => void response.end("plain"),
    (plain) =>
      withServer(
        (_path, response) => redirect(response, `${plain}/x`),
        async (base) => {
          assert.match(await messageOf(askServer({ url: base, keepSecure: true })), /leads from https to "http:/);
          assert.is(await (await askServer({ url: base })).response.text(), "plain");
        },
        certificate,
      ),
  );
});

test("askServer() tells who asks to the host it is known for, asks others once it is refused, and says how it went", async () => {
  const told: unknown[] = [];
  const access = (known: boolean, password: string): Access => ({
    known: () => (known ? { username: "a", password } : undefined),
    ask: async () => ({ username: "a", password }),
    tell: async (_url, credentials, isRight) => void told.push([credentials.password, isRight]),
  });
  const right = `Basic ${Buffer.from("a:right").toString("base64")}`;
  await withServer(
    (_path, response, authorization) => void response.writeHead(authorization === right ? 200 : 401).end(),
    async (url, asked) => {
      const status = async (one?: Access, address = url): Promise<number> =>
        (await askServer({ url: address, access: one })).response.status;
      assert.is(await status(), 401);
      assert.is(await status(access(true, "right")), 200);
      assert.is(asked.length, 2, "at once");
      assert.is(await status(access(false, "right")), 200);
      assert.is(await status(access(false, "wrong")), 401);
      assert.equal(told, [
        ["right", true],
        ["wrong", false],
      ]);
      assert.is(await status(undefined, url.replace("//", "//a:right@")), 200);
      assert.is(await status(access(true, "right"), url.replace("//", "//a@")), 200);
    },
  );
});

test.run();

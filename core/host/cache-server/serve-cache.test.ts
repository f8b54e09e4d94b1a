import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import http from "node:http";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes, equalBytes } from "../../base/index.ts";
import { goodSignatures, parseNarInfo, type PathInfo, publicKeyOf, type StorePath } from "../../store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { ed25519, generateSecretKey } from "../signing/index.ts";
import { copyPaths, openStoreUrl } from "../stores/index.ts";
import { type CacheServer, serveCache, type ServeCacheOptions } from "./index.ts";

interface Context {
  opened: ReturnType<typeof openTemporaryStore>;
  tree: StorePath;
  text: StorePath;
  servers: CacheServer[];
  serve(more?: Partial<ServeCacheOptions>): Promise<string>;
}

const test = suite<Context>("floe cache serve");
const secretKey = generateSecretKey("serve-1");

test.before.each(async (context) => {
  const opened = openTemporaryStore();
  const from = join(opened.folder, "tree");
  mkdirSync(from);
  writeFileSync(join(from, "big"), Buffer.alloc(12_000_000, "abcdefgh"));
  writeFileSync(join(from, "tool"), "#!/bin/sh\n", { mode: 0o755 });
  const servers: CacheServer[] = [];
  Object.assign(context, {
    opened,
    tree: await opened.store.addTree({ name: "tree", from }),
    text: opened.store.addText("text", "contents", []),
    servers,
    async serve(more: Partial<ServeCacheOptions> = {}) {
      const server = await serveCache({
        store: opened.store,
        compression: "none",
        priority: 30,
        listen: "127.0.0.1",
        port: 0,
        ...more,
      });
      servers.push(server);
      return server.url;
    },
  });
});
test.after.each(async ({ opened, servers }) => {
  for (const server of servers) await server.close(0);
  opened.close();
});

async function ask(
  url: string,
  { method = "GET", headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(parts) }),
      );
    });
    request.on("error", reject);
    request.end();
  });
}

async function narOf({ opened: { store } }: Context, path: StorePath): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const piece of store.readNar(path)) parts.push(piece);
  return concatBytes(parts);
}

test("it says what it is", async ({ serve }) => {
  const { status, body, headers } = await ask(`${await serve()}/nix-cache-info`);
  assert.is(status, 200);
  assert.is(String(body), "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 30\n");
  assert.is(headers["content-type"], "text/x-nix-cache-info");
});

test("a narinfo is signed on its way and points to the archive", async (context) => {
  const url = await context.serve({ secretKey });
  const { body, headers } = await ask(`${url}/${context.tree.slice(11, 43)}.narinfo`);
  const info = parseNarInfo(String(body));
  assert.is(info.path, context.tree);
  assert.equal(goodSignatures(info, [publicKeyOf(secretKey)], ed25519), ["serve-1"]);
  assert.is(headers["content-type"], "text/x-nix-narinfo");
  const archive = await ask(`${url}/${info.url}`);
  assert.is(Number(archive.headers["content-length"]), info.narSize);
  assert.ok(equalBytes(archive.body, await narOf(context, context.tree)));
});

test("a narinfo is encoded as it is asked for, each with a tag of its own", async (context) => {
  const { store } = context.opened;
  const references = Array.from({ length: 40 }, (_, i) => store.addText(`of-many-${i}`, `${i}`, []));
  const many = store.addText("with-many", "x", references);
  const at = `${await context.serve({ secretKey })}/${many.slice(11, 43)}.narinfo`;
  const plain = await ask(at);
  assert.equal([plain.headers["content-encoding"], plain.headers.vary], [undefined, "accept-encoding"]);
  const decoders = { zstd: zstdDecompressSync, br: brotliDecompressSync, gzip: gunzipSync };
  const tags = new Set([plain.headers.etag]);
  for (const [encoding, decode] of Object.entries(decoders)) {
    const asked = { "accept-encoding": `identity;q=0.1, ${encoding}` };
    const { headers, body } = await ask(at, { headers: asked });
    assert.is(headers["content-encoding"], encoding);
    assert.ok(body.length < plain.body.length && Number(headers["content-length"]) === body.length);
    assert.ok(equalBytes(decode(body), plain.body));
    tags.add(headers.etag);
    const again = await ask(at, { headers: { ...asked, "if-none-match": headers.etag as string } });
    assert.equal([again.status, again.body.length], [304, 0]);
  }
  assert.is(tags.size, 4);
  using cache = await openStoreUrl(at.slice(0, at.lastIndexOf("/")));
  assert.equal((await cache.queryPathInfo(many))?.references.length, 40);
});

test("a client of ours takes everything, plain and compressed", async (context) => {
  for (const compression of ["none", "zstd"] as const) {
    const target = openTemporaryStore();
    const url = await context.serve({ secretKey, compression });
    using cache = await openStoreUrl(url);
    const trusted = [publicKeyOf(secretKey)];
    await copyPaths({ from: cache, to: target.store, paths: [context.tree, context.text], trusted });
    assert.equal(
      (target.store.queryPathInfo(context.tree) as PathInfo).narHash,
      context.opened.store.queryPathInfo(context.tree)?.narHash,
    );
    target.close();
  }
});

test("parts of an archive can be asked for, and the whole only when it changed", async (context) => {
  const url = await context.serve();
  const info = parseNarInfo(String((await ask(`${url}/${context.tree.slice(11, 43)}.narinfo`)).body));
  const nar = await narOf(context, context.tree);
  const at = `${url}/${info.url}`;
  const { headers } = await ask(at, { method: "HEAD" });
  const tag = headers.etag as string;
  assert.equal([headers["accept-ranges"], headers["content-length"]], ["bytes", String(nar.length)]);
  const part = await ask(at, { headers: { range: "bytes=1000000-1999999", "if-range": tag } });
  assert.equal([part.status, part.headers["content-range"]], [206, `bytes 1000000-1999999/${nar.length}`]);
  assert.ok(equalBytes(part.body, nar.subarray(1_000_000, 2_000_000)));
  const end = await ask(at, { headers: { range: "bytes=-5" } });
  assert.ok(equalBytes(end.body, nar.subarray(nar.length - 5)));
  assert.is((await ask(at, { headers: { range: "bytes=9-", "if-range": '"other"' } })).status, 200);
  const beyond = await ask(at, { headers: { range: `bytes=${nar.length}-` } });
  assert.equal([beyond.status, beyond.headers["content-range"]], [416, `bytes */${nar.length}`]);
  const same = await ask(at, { headers: { "if-none-match": `"x", ${tag}` } });
  assert.equal([same.status, same.body.length], [304, 0]);
  const info2 = await ask(`${url}/${context.tree.slice(11, 43)}.narinfo`);
  const unchanged = await ask(`${url}/${context.tree.slice(11, 43)}.narinfo`, {
    headers: { "if-none-match": info2.headers.etag as string },
  });
  assert.is(unchanged.status, 304);
});

test("what is compressed on its way is whole and has no ranges", async (context) => {
  const url = await context.serve({ compression: "zstd" });
  const info = parseNarInfo(String((await ask(`${url}/${context.tree.slice(11, 43)}.narinfo`)).body));
  assert.equal([info.compression, info.fileHash, info.fileSize], ["zstd", undefined, undefined]);
  const { status, body, headers } = await ask(`${url}/${info.url}`, { headers: { range: "bytes=5-" } });
  assert.equal([status, headers["accept-ranges"]], [200, undefined]);
  assert.ok(equalBytes(zstdDecompressSync(body), await narOf(context, context.tree)));
});

test("listings and logs are served", async (context) => {
  const { store } = context.opened;
  const url = await context.serve();
  const listing = await ask(`${url}/${context.tree.slice(11, 43)}.ls`);
  const { version, root } = JSON.parse(String(listing.body));
  assert.is(version, 1);
  assert.equal(Object.keys(root.entries), ["big", "tool"]);
  assert.is(root.entries.tool.executable, true);
  const nar = await narOf(context, context.tree);
  const { narOffset, size } = root.entries.tool;
  assert.is(Buffer.from(nar.subarray(narOffset, narOffset + size)).toString(), "#!/bin/sh\n");
  const name = "vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo.drv";
  mkdirSync(join(store.logDirectory, "drvs", name.slice(0, 2)), { recursive: true });
  writeFileSync(join(store.logDirectory, "drvs", name.slice(0, 2), name.slice(2)), "it was built\n");
  assert.is(String((await ask(`${url}/log/${name}`)).body), "it was built\n");
});

test("nothing but valid objects is served", async (context) => {
  const { store, folder } = context.opened;
  const url = await context.serve();
  const stray = "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-stray";
  writeFileSync(store.realPath(stray), "not registered");
  writeFileSync(join(folder, "secret"), "secret");
  const info = parseNarInfo(String((await ask(`${url}/${context.tree.slice(11, 43)}.narinfo`)).body));
  const wrongHash = info.url.replace(/-.{52}/, `-${"0".repeat(52)}`);
  for (const path of [
    "/",
    "/../secret",
    "/..%2fsecret",
    "/nar/../../secret",
    `/${stray.slice(11, 43)}.narinfo`,
    `/${stray.slice(11, 43)}.ls`,
    `/${wrongHash}`,
    "/log/..%2f..%2fsecret.drv",
    "/log/../../../secret.drv",
    "/log/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-none.drv",
    `/${"%00".repeat(10)}.narinfo`,
    `/${"a".repeat(8000)}.narinfo`,
  ]) {
    const { status, body } = await ask(`${url}${path}`);
    assert.equal([status, String(body)], [404, "Not here.\n"], path);
  }
  for (const method of ["PUT", "POST", "DELETE", "OPTIONS"])
    assert.is((await ask(`${url}/nix-cache-info`, { method })).status, 405);
});

test("an object that was changed on disk gives a broken answer and not a wrong one", async (context) => {
  const { store } = context.opened;
  const url = await context.serve();
  const real = store.realPath(context.text);
  const { url: archive } = parseNarInfo(String((await ask(`${url}/${context.text.slice(11, 43)}.narinfo`)).body));
  for (const contents of ["much longer than it was before, and so is its archive", ""]) {
    chmodSync(real, 0o644);
    writeFileSync(real, contents);
    try {
      await ask(`${url}/${archive}`);
      assert.unreachable();
    } catch (error) {
      assert.match(String(error), /aborted|hang up|ECONNRESET/);
    }
  }
  assert.is((await ask(`${url}/nix-cache-info`)).status, 200);
});

test("one connection serves many requests", async (context) => {
  const url = new URL(await context.serve());
  const socket = connect(Number(url.port), url.hostname);
  let seen = "";
  socket.setEncoding("latin1").on("data", (text: string) => {
    seen += text;
  });
  for (let i = 0; i < 3; i++) socket.write("GET /nix-cache-info HTTP/1.1\r\nhost: x\r\n\r\n");
  await until(
    () => seen.split("Priority").length === 4,
    () => seen,
  );
  socket.destroy();
});

test("clients that take nothing, ask for nothing or ask endlessly are sent away", async (context) => {
  const url = new URL(await context.serve({ stallMs: 300 }));
  const open = (): Socket => connect(Number(url.port), url.hostname).on("error", () => {});
  const info = parseNarInfo(String((await ask(`${url.origin}/${context.tree.slice(11, 43)}.narinfo`)).body));
  const lazy = open();
  let isGone = false;
  lazy.on("close", () => {
    isGone = true;
  });
  lazy.pause();
  lazy.write(`GET /${info.url} HTTP/1.1\r\nhost: x\r\n\r\n`);
  const flood = open();
  let answer = "";
  flood.setEncoding("latin1").on("data", (text: string) => {
    answer += text;
  });
  flood.write(`GET / HTTP/1.1\r\nhost: x\r\n${`x-more: ${"y".repeat(1000)}\r\n`.repeat(30)}`);
  await until(
    () => answer.startsWith("HTTP/1.1 431"),
    () => answer,
  );
  // Somebody else is served all the while.
  assert.is((await ask(`${url.origin}/nix-cache-info`)).status, 200);
  // Only after it had its time does it take what is left, and finds the connection closed.
  const port = lazy.localPort as number;
  await until(
    () => !isServed(port),
    () => "still served",
  );
  lazy.resume();
  await until(
    () => isGone,
    () => "still connected",
  );
});

test("it finishes what is under way when it is told to end", async (context) => {
  const url = await context.serve();
  const info = parseNarInfo(String((await ask(`${url}/${context.tree.slice(11, 43)}.narinfo`)).body));
  const response = await fetch(`${url}/${info.url}`, { headers: { "accept-encoding": "identity" } });
  const body = response.arrayBuffer();
  await context.servers.pop()?.close();
  assert.is((await body).byteLength, info.narSize);
  try {
    await ask(`${url}/nix-cache-info`);
    assert.unreachable();
  } catch (error) {
    assert.match(String(error), /ECONNREFUSED/);
  }
});

test("a port that is taken is an error", async (context) => {
  const { port } = new URL(await context.serve());
  try {
    await context.serve({ port: Number(port) });
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "cache-server.cannot-listen");
  }
});

/** Whether somebody on this machine still has a connection with a port open, as the system lists them. */
function isServed(port: number): boolean {
  const far = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .some(([, , remote, state]) => remote?.endsWith(far) === true && state === "01");
}

async function until(condition: () => boolean, seen: () => string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.unreachable(`waited in vain; saw: ${seen().slice(0, 300)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.run();

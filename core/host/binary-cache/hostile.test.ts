import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, equalHashes, hashBytes, utf8 } from "../../base/index.ts";
import {
  formatNarInfo,
  formatRealisation,
  makeRealisationId,
  type NarInfo,
  parseNarInfo,
  publicKeyOf,
  realisationFile,
  type StorePath,
  storePathDigest,
} from "../../store/index.ts";
import { removeTree, scanTree } from "../files/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { generateSecretKey } from "../signing/index.ts";
import { copyPaths } from "../stores/index.ts";
import { type BinaryCacheStore, FileTransport, HttpTransport, isCacheFault, openBinaryCache } from "./index.ts";
import { type Hook, serveDirectory, type TestServer } from "./testing.ts";

/** Caches that are down, slow, broken or lie: each ends in an error that callers can tell, and nothing comes in. */

const key = generateSecretKey("honest-1");
const trusted = [publicKeyOf(key)];
/** Quick, so that tests are; everything else as always. */
const QUICK = {
  timeouts: { connectMs: 2000, stallMs: 400, answerMs: 1500 },
  lookupPolicy: { attempts: 2, baseDelayMs: 1, maxDelayMs: 1000, jitter: "full" },
  transferPolicy: { attempts: 3, baseDelayMs: 1, maxDelayMs: 1000, jitter: "full" },
} as const;

/** A signed cache with one object that is known by what it was built from. */
const directory = mkdtempSync(join(tmpdir(), "floe-hostile-"));
const path = "/nix/store/x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-built" as StorePath;
const source = openTemporaryStore();
mkdirSync(source.store.realPath(path));
writeFileSync(join(source.store.realPath(path), "file"), Buffer.alloc(1_500_000, "0123456789"));
const scanned = await scanTree(source.store.realPath(path), { canonicalise: true });
source.store.registerOutputs([{ path, ...scanned, signatures: [] }]);
{
  using cache = await openBinaryCache(
    { transport: new FileTransport(directory), secretKey: key, compression: "none" },
    { create: true },
  );
  await copyPaths({ from: source.store, to: cache, paths: [path], trusted: [] });
}
source.close();
const NARINFO = `/${storePathDigest(path)}.narinfo`;
const honest = parseNarInfo(readFileSync(join(directory, NARINFO), "utf8"));
const NAR = `/${honest.url}`;
const archive = readFileSync(join(directory, NAR));

interface Context {
  server: TestServer;
  target: ReturnType<typeof openTemporaryStore>;
  cache: BinaryCacheStore;
}

const test = suite<Context>("hostile caches");
test.before.each(async (context) => {
  const server = await serveDirectory(directory);
  const transport = new HttpTransport(new URL(server.url), QUICK);
  Object.assign(context, { server, target: openTemporaryStore(), cache: await openBinaryCache({ transport }) });
});
test.after.each(async ({ server, target, cache }) => {
  cache.close();
  target.close();
  await server.close();
});
test.after(() => removeTree(directory));

/** Answer some paths differently. */
function answering(server: TestServer, answers: Readonly<Record<string, Hook>>): void {
  server.hook = (request, response) => answers[request.url ?? ""]?.(request, response) ?? false;
}

const text =
  (contents: string | Uint8Array, headers: Record<string, string> = {}): Hook =>
  (_, response) => {
    response.writeHead(200, headers).end(contents);
    return true;
  };

const narInfo = (changes: Partial<NarInfo>): Hook => text(formatNarInfo({ ...honest, ...changes }));

const pull = ({ cache, target }: Context): Promise<unknown> =>
  copyPaths({ from: cache, to: target.store, paths: [path], trusted });

async function refuses(context: Context, ...codes: string[]): Promise<CodedError> {
  const started = performance.now();
  let error: unknown;
  try {
    await pull(context);
  } catch (caught) {
    error = caught;
  }
  assert.ok(error !== undefined, `expected ${codes}`);
  assert.ok(codes.includes((error as CodedError).code), `expected ${codes}, found ${(error as Error).stack}`);
  assert.ok(isCacheFault(error) || codes.includes("store.not-valid"), "callers can tell");
  assert.ok(performance.now() - started < 20_000);
  assert.equal(context.target.store.allPaths(), []);
  const left = readdirSync(context.target.store.realStoreDirectory).filter((name) => !name.endsWith(".lock"));
  assert.equal(
    left.filter((name) => name !== ".links"),
    [],
    "nothing is left in the store directory",
  );
  return error as CodedError;
}

test("an honest cache serves", async (context) => {
  await pull(context);
  assert.ok(context.target.store.isValid(path));
  assert.ok(equalHashes(context.target.store.queryPathInfo(path)!.narHash, honest.narHash));
});

test("a cache that is down is told soon", async (context) => {
  await context.server.close();
  await refuses(context, "cache.unreachable");
});

test("a cache without a host is told soon", async () => {
  const transport = new HttpTransport(new URL("http://no-such-host.invalid"), QUICK);
  try {
    await openBinaryCache({ transport });
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "cache.unreachable");
  }
});

test("an object that is not there, or must not be seen, is not there", async (context) => {
  for (const status of [403, 404, 410]) {
    answering(context.server, {
      [NARINFO]: (_, response) => {
        response.writeHead(status).end("no");
        return true;
      },
    });
    assert.is(await context.cache.queryPathInfo(path), undefined);
    await refuses(context, "store.not-valid");
  }
});

test("an archive that is not there is told", async (context) => {
  answering(context.server, { [NARINFO]: narInfo({ url: "nar/none.nar" }) });
  await refuses(context, "cache.file-missing");
});

test("a server that always fails is asked again, and then given up", async (context) => {
  answering(context.server, {
    [NARINFO]: (_, response) => {
      response.writeHead(500).end();
      return true;
    },
  });
  context.server.log.length = 0;
  await refuses(context, "cache.unreachable");
  assert.is(context.server.log.length, QUICK.lookupPolicy.attempts);
});

test("a server that refuses for good is asked once", async (context) => {
  answering(context.server, {
    [NARINFO]: (_, response) => {
      response.writeHead(401).end();
      return true;
    },
  });
  context.server.log.length = 0;
  await refuses(context, "cache.unreachable");
  assert.is(context.server.log.length, 1);
});

test("a server that is busy is left alone for as long as it asks", async (context) => {
  let asked = 0;
  let first = 0;
  answering(context.server, {
    [NARINFO]: (_, response) => {
      asked += 1;
      if (asked > 1) {
        assert.ok(performance.now() - first >= 990, "it waits a second");
        return false;
      }
      first = performance.now();
      response.writeHead(429, { "retry-after": "1" }).end();
      return true;
    },
  });
  await pull(context);
  assert.is(asked, 2);
});

test("a server that takes the question and says nothing is given up", async (context) => {
  answering(context.server, { [NARINFO]: () => true });
  const error = await refuses(context, "cache.unreachable");
  assert.match(error.message, "no answer within 0.4 s");
});

test("a server that answers a byte at a time is given up", async (context) => {
  answering(context.server, {
    [NARINFO]: (_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("S"), 50);
      response.on("close", () => clearInterval(timer));
      return true;
    },
  });
  await refuses(context, "cache.unreachable");
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      let at = 0;
      const timer = setInterval(() => response.write(archive.subarray(at, ++at)), 50);
      response.on("close", () => clearInterval(timer));
      return true;
    },
  });
  await refuses(context, "cache.unreachable");
});

test("a transfer that stops is given up", async (context) => {
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      response.write(archive.subarray(0, 1000));
      return true;
    },
  });
  const error = await refuses(context, "cache.unreachable");
  assert.match(error.message, "no data for 0.4 s");
});

test("a transfer that breaks goes on where it ended", async (context) => {
  const ranges: (string | undefined)[] = [];
  let breaks = 5;
  context.server.hook = (request, response) => {
    if (request.url !== NAR) return false;
    ranges.push(request.headers.range);
    if (breaks-- <= 0) return false;
    const from = Number(/\d+/.exec(request.headers.range ?? "0")?.[0]);
    const whole = archive.subarray(from, from + 100_000);
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": archive.length - from,
      ...(from > 0 ? { "content-range": `bytes ${from}-${archive.length - 1}/${archive.length}` } : {}),
    });
    response.write(whole, () => response.destroy());
    return true;
  };
  await pull(context);
  assert.ok(context.target.store.isValid(path));
  assert.is(ranges.length, 6, "more breaks than attempts, but each brought something");
  assert.equal([ranges[0], ranges[1]], [undefined, "bytes=100000-"]);
});

test("a server without ranges sends again, and what is there already is skipped", async (context) => {
  let isFirst = true;
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length });
      if (isFirst) response.write(archive.subarray(0, 200_000), () => response.destroy());
      else response.end(archive);
      isFirst = false;
      return true;
    },
  });
  await pull(context);
  assert.ok(context.target.store.isValid(path));
});

test("a file that changes while it is fetched is not put together", async (context) => {
  let count = 0;
  answering(context.server, {
    [NAR]: (_, response) => {
      response.writeHead(200, { "content-length": archive.length, etag: `"${count++}"` });
      response.write(archive.subarray(0, 200_000), () => response.destroy());
      return true;
    },
  });
  const error = await refuses(context, "cache.unreachable");
  assert.match(error.message, "changed while it was fetched");
});

test("a wrong part is not taken for the right one", async (context) => {
  let isFirst = true;
  answering(context.server, {
    [NAR]: (_, response) => {
      if (isFirst) response.writeHead(200, { "content-length": archive.length });
      else response.writeHead(206, { "content-range": `bytes 7-99/${archive.length}` });
      if (isFirst) response.write(archive.subarray(0, 1000), () => response.destroy());
      else response.end(archive.subarray(7, 100));
      isFirst = false;
      return true;
    },
  });
  const error = await refuses(context, "cache.unreachable");
  assert.match(error.message, "the wrong part");
});

test("an archive with another content is refused", async (context) => {
  const other = Uint8Array.from(archive);
  other[500_000]! ^= 1;
  answering(context.server, { [NAR]: text(other) });
  await refuses(context, "store.nar-mismatch");
  // Also when the hash of the file itself is made to fit.
  const fileHash = hashBytes("sha256", other);
  answering(context.server, { [NAR]: text(other), [NARINFO]: narInfo({ fileHash }) });
  context.cache.close();
  const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
  await refuses({ ...context, cache }, "store.nar-mismatch");
  cache.close();
});

test("a file with another size or hash than its narinfo says is refused", async (context) => {
  for (const changes of [{ fileSize: 1000 }, { fileSize: 9_999_999 }, { fileHash: hashBytes("sha256", "other") }]) {
    answering(context.server, { [NARINFO]: narInfo(changes) });
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    await refuses({ ...context, cache }, "cache.file-mismatch");
    cache.close();
  }
});

test("an archive that is cut off, or followed by something, is refused", async (context) => {
  const changes = { fileSize: undefined, fileHash: undefined };
  for (const contents of [archive.subarray(0, 100_000), new Uint8Array(0), Buffer.concat([archive, utf8("more")])]) {
    answering(context.server, { [NARINFO]: narInfo(changes), [NAR]: text(contents) });
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    await refuses({ ...context, cache }, "nar.malformed", "store.nar-mismatch");
    cache.close();
  }
});

test("an object that nobody, or somebody else, signed is refused before anything is fetched", async (context) => {
  for (const signatures of [
    [],
    ["foreign-1:ssOm502XUYSBj8uye1VQSFNXY8gpmkOsioIgKvl06/d/YpGaINx0GsOBeYdKdYpRHpxnyp5+sKzCVOOg2/DgAA=="],
    ["honest-1:ssOm502XUYSBj8uye1VQSFNXY8gpmkOsioIgKvl06/d/YpGaINx0GsOBeYdKdYpRHpxnyp5+sKzCVOOg2/DgAA=="],
  ]) {
    answering(context.server, { [NARINFO]: narInfo({ signatures }) });
    context.server.log.length = 0;
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    await refuses({ ...context, cache }, "signature.untrusted");
    assert.is(context.server.log.includes(`GET ${NAR}`), false);
    cache.close();
  }
});

test("facts that were changed after they were signed are refused", async (context) => {
  for (const changes of [
    { narSize: honest.narSize + 8 },
    { narHash: hashBytes("sha256", "other") },
    { references: [path] },
    { ca: "fixed:r:sha256:1fs8xspqaxw0p5r4wz0lz3pqd9sdvhirmcriqbxcmg8vr89835ya", signatures: [] },
  ]) {
    answering(context.server, { [NARINFO]: narInfo(changes) });
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    await refuses({ ...context, cache }, "signature.untrusted");
    cache.close();
  }
});

test("a signature of a trusted key that is none is refused", async (context) => {
  answering(context.server, { [NARINFO]: narInfo({ signatures: ["honest-1:AAAA"] }) });
  await refuses(context, "signature.malformed");
});

test("a narinfo about another path is refused", async (context) => {
  for (const other of [
    "/nix/store/x5qbk3rdymh6vmm8gfx4kpmkcyzfsi7b-evil",
    "/nix/store/n9bvxn25p2lkkf6zgn0405p6h5k3jb30-built",
  ]) {
    answering(context.server, { [NARINFO]: narInfo({ path: other as StorePath }) });
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    await refuses({ ...context, cache }, "cache.wrong-path");
    cache.close();
  }
});

test("nonsense in place of a narinfo is refused", async (context) => {
  for (const contents of ["", "<html>It works!</html>", "\0".repeat(1000), `${formatNarInfo(honest)}garbage\n`]) {
    answering(context.server, { [NARINFO]: text(contents) });
    await refuses(context, "narinfo.malformed");
  }
});

test("a narinfo without end is refused at its limit", async (context) => {
  answering(context.server, {
    [NARINFO]: (_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write("Sig: a:b\n".repeat(10_000)));
      };
      response.on("drain", more);
      more();
      return true;
    },
  });
  await refuses(context, "cache.too-large");
});

test("a narinfo that was stored compressed is read, within its limit", async (context) => {
  for (const [encoding, encode] of [
    ["gzip", gzipSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
  ] as const) {
    const answer = (contents: Uint8Array): Hook => text(contents, { "content-encoding": encoding });
    answering(context.server, { [NARINFO]: answer(encode(new Uint8Array(50_000_000))) });
    await refuses(context, "cache.too-large");
    answering(context.server, { [NARINFO]: answer(utf8("no such data")) });
    await refuses(context, "cache.unreachable");
    answering(context.server, { [NARINFO]: answer(encode(utf8(formatNarInfo(honest)))) });
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    assert.is((await cache.queryPathInfo(path))?.path, path);
    cache.close();
  }
  answering(context.server, { [NARINFO]: text("x", { "content-encoding": "rot13" }) });
  await refuses(context, "cache.unreachable");
});

test("a mislabelled compression still works, and a bomb does not go off", async (context) => {
  const packed = zstdCompressSync(archive);
  const bomb = zstdCompressSync(Buffer.concat([archive, new Uint8Array(400_000_000)]));
  const before = process.memoryUsage().rss;
  for (const [contents, compression] of [
    [bomb, "zstd"],
    [bomb, "xz"],
    [gzipSync(new Uint8Array(400_000_000)), "gzip"],
    [brotliCompressSync(new Uint8Array(100_000_000)), "br"],
  ] as const) {
    const changes = { compression, fileHash: hashBytes("sha256", contents), fileSize: contents.length };
    answering(context.server, { [NARINFO]: narInfo(changes), [NAR]: text(contents) });
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    await refuses({ ...context, cache }, "store.nar-mismatch", "nar.malformed");
    cache.close();
  }
  assert.ok(process.memoryUsage().rss - before < 700_000_000, `${process.memoryUsage().rss - before} bytes more`);
  const changes = { compression: "xz", fileHash: hashBytes("sha256", packed), fileSize: packed.length };
  answering(context.server, { [NARINFO]: narInfo(changes), [NAR]: text(packed) });
  const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
  await pull({ ...context, cache });
  assert.ok(context.target.store.isValid(path));
  cache.close();
});

test("redirections that do not end, or leave the web, are refused", async (context) => {
  const redirect =
    (location: string): Hook =>
    (_, response) => {
      response.writeHead(302, { location }).end();
      return true;
    };
  for (const location of [NARINFO, "file:///etc/passwd", "ftp://127.0.0.1/x", "http://", "data:text/plain,x"]) {
    answering(context.server, { [NARINFO]: redirect(location) });
    context.server.log.length = 0;
    await refuses(context, "cache.unreachable");
    assert.ok(context.server.log.length <= 11);
  }
  answering(context.server, { [NARINFO]: redirect("/moved"), "/moved": narInfo({}) });
  await pull(context);
});

test("passwords stay with their host, and out of errors", async (context) => {
  const other = await serveDirectory(directory);
  const seen: (string | undefined)[] = [];
  context.server.hook = (request, response) => {
    seen.push(request.headers.authorization);
    response.writeHead(302, { location: `${other.url}${request.url}` }).end();
    return true;
  };
  other.hook = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  const url = new URL(context.server.url);
  Object.assign(url, { username: "user", password: "s%20cret" });
  const cache = await openBinaryCache({ transport: new HttpTransport(url, QUICK) });
  assert.equal(seen, [`Basic ${Buffer.from("user:s cret").toString("base64")}`, undefined]);
  await context.server.close();
  const error = await refuses({ ...context, cache }, "cache.unreachable");
  assert.not.match(`${error.message}${error.stack}`, "cret");
  cache.close();
  await other.close();
});

test("what is known of a host beforehand is told to that host alone", async (context) => {
  const seen: (string | undefined)[] = [];
  context.server.hook = (request) => {
    seen.push(request.headers.authorization);
    return false;
  };
  const access = {
    known: ({ origin }: URL) => (origin === context.server.url ? { username: "a", password: "b" } : undefined),
  };
  const cache = await openBinaryCache({
    transport: new HttpTransport(new URL(context.server.url), { ...QUICK, access }),
  });
  assert.equal(seen, [`Basic ${Buffer.from("a:b").toString("base64")}`]);
  // What stands in the address comes first.
  const url = Object.assign(new URL(context.server.url), { username: "c", password: "d" });
  const own = await openBinaryCache({ transport: new HttpTransport(url, { ...QUICK, access }) });
  assert.is(seen.at(-1), `Basic ${Buffer.from("c:d").toString("base64")}`);
  const elsewhere = { known: () => undefined };
  const nobody = new HttpTransport(new URL(context.server.url), { ...QUICK, access: elsewhere });
  const third = await openBinaryCache({ transport: nobody });
  assert.is(seen.at(-1), undefined);
  for (const each of [cache, own, third]) each.close();
});

test("addresses in a narinfo lead to files of the cache or to the web, and nowhere else", async (context) => {
  for (const url of [
    "file:///etc/passwd",
    "../../../etc/passwd",
    "ftp://127.0.0.1/x",
    "http://user:pw@127.0.0.1/x",
    "http://[",
  ]) {
    answering(context.server, { [NARINFO]: narInfo({ url }) });
    const cache = await openBinaryCache({ transport: new HttpTransport(new URL(context.server.url), QUICK) });
    await refuses({ ...context, cache }, "cache.file-missing", "cache.bad-url");
    cache.close();
  }
  answering(context.server, { [NARINFO]: narInfo({ url: `${context.server.url}${NAR}?token=x` }) });
  await pull(context);
});

test("a cache in a directory never reads outside of it", async (context) => {
  const inside = join(directory, "inside");
  mkdirSync(inside, { recursive: true });
  writeFileSync(join(inside, "nix-cache-info"), "");
  for (const url of [`../${honest.url}`, `${directory}/${honest.url}`, "nar/../../nix-cache-info", "nar/a\0b"]) {
    writeFileSync(join(inside, NARINFO), formatNarInfo({ ...honest, url }));
    const cache = await openBinaryCache({ transport: new FileTransport(inside) });
    await refuses({ ...context, cache }, "cache.bad-url");
  }
});

/** What no web server library would send. */
async function rawServer(answer: (socket: Socket) => void): Promise<{ readonly url: string; close(): void }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test("what is no HTTP, headers without end, and headers byte by byte are refused", async () => {
  for (const answer of [
    (socket: Socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"),
    (socket: Socket) => void socket.end(),
    (socket: Socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort"),
    (socket: Socket) => void socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"),
    (socket: Socket) => {
      socket.write("HTTP/1.1 200 OK\r\n");
      const more = (): void => {
        while (!socket.destroyed && socket.write(`x-flood: ${"y".repeat(1000)}\r\n`));
      };
      socket.on("drain", more);
      more();
    },
    (socket: Socket) => {
      socket.write("HTTP/1.1 200 OK\r\nx: ");
      const timer = setInterval(() => socket.write("y"), 100);
      socket.on("close", () => clearInterval(timer));
    },
  ]) {
    const server = await rawServer(answer);
    try {
      await openBinaryCache({ transport: new HttpTransport(new URL(server.url), QUICK) });
      assert.unreachable();
    } catch (error) {
      assert.is((error as CodedError).code, "cache.unreachable", String(error));
    } finally {
      server.close();
    }
  }
});

test("waiting for a cache can be called off", async (context) => {
  answering(context.server, { [NARINFO]: () => true });
  const controller = new AbortController();
  const transport = new HttpTransport(new URL(context.server.url), {
    signal: controller.signal,
    timeouts: { stallMs: 60_000 },
  });
  const cache = await openBinaryCache({ transport });
  const asked = cache.queryPathInfo(path);
  setTimeout(() => controller.abort(new Error("called off")), 50);
  try {
    await asked;
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).message, "called off");
  }
  cache.close();
});

test("a realisation that is about another output is refused", async () => {
  using cache = await openBinaryCache({ transport: new FileTransport(directory) });
  const id = (byte: number) => makeRealisationId(new Uint8Array(32).fill(byte), "out");
  const realisation = { id: id(1), outPath: path, signatures: [], dependentRealisations: new Map() };
  await cache.addRealisation(realisation);
  assert.equal((await cache.queryRealisation(id(1)))?.outPath, path);
  assert.is(await cache.queryRealisation(id(2)), undefined);
  writeFileSync(join(directory, realisationFile(id(2))), formatRealisation(realisation));
  const error = await cache.queryRealisation(id(2)).catch((thrown: CodedError) => thrown);
  assert.is((error as CodedError).code, "cache.wrong-realisation");
});

test.run();

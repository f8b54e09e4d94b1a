import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes, utf8 } from "../../base/index.ts";
import {
  formatNarInfo,
  formatRealisation,
  makeRealisationId,
  realisationFile,
  type StorePath,
} from "../../store/index.ts";
import { FileTransport, HttpTransport, openBinaryCache } from "./index.ts";
import type { Hook } from "./testing.ts";
import {
  answering,
  archive,
  directory,
  honest,
  NAR,
  NARINFO,
  narInfo,
  path,
  pull,
  QUICK,
  refuses,
  text,
  openSuite,
} from "./testing-hostile.ts";

/** Caches that lie, in what they say of objects or in what they give: each is refused, and nothing comes in. */
const test = openSuite("caches that lie");

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

test("a file without a size that holds nothing for ever ends where its archive could end", async (context) => {
  // A frame of zstd that holds nothing, and one that is to be skipped.
  const empty = zstdCompressSync(new Uint8Array(0));
  const skipped = Buffer.concat([Buffer.from([0x50, 0x2a, 0x4d, 0x18, 0, 0x10, 0, 0]), Buffer.alloc(4096)]);
  for (const frame of [Buffer.alloc(empty.length * 1000, empty), skipped]) {
    let sent = 0;
    const flood: Hook = (_, response) => {
      const more = (): void => {
        do sent += frame.length;
        while (!response.destroyed && response.write(frame));
        if (!response.destroyed) response.once("drain", more);
      };
      more();
      return true;
    };
    const untold = { compression: "zstd", fileHash: undefined, fileSize: undefined };
    answering(context.server, { [NARINFO]: narInfo(untold), [NAR]: flood });
    await refuses(context, "cache.file-mismatch");
    assert.ok(sent < 50_000_000, `${sent} bytes were taken`);
  }
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

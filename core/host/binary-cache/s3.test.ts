import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, equalBytes, hashBytes, utf8 } from "../../base/index.ts";
import { describeStore } from "../../store/store.contract.ts";
import { removeTree } from "../files/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { copyPaths, openStoreUrl } from "../stores/index.ts";
import { readAwsSettings } from "./aws-settings.ts";
import { openBinaryCache } from "./index.ts";
import { S3Transport, type S3TransportOptions } from "./s3-transport.ts";
import { serveS3, type TestS3 } from "./testing-s3.ts";

const credentials = { accessKeyId: "AKEXAMPLE", secretAccessKey: "s3cr+t/Key" };
const QUICK = { attempts: 3, baseDelayMs: 1, maxDelayMs: 10, jitter: "full" } as const;

function transportTo(server: TestS3, options: S3TransportOptions = {}): S3Transport {
  return new S3Transport(
    { bucket: "bucket", prefix: "", region: "eu-test-1", endpoint: server.endpoint, scheme: "http" },
    { credentials, lookupPolicy: QUICK, transferPolicy: QUICK, ...options },
  );
}

describeStore("a cache in S3", async () => {
  const server = await serveS3(credentials.accessKeyId, credentials.secretAccessKey);
  const store = await openBinaryCache({ transport: transportTo(server) }, { create: true });
  return {
    store,
    async close() {
      store.close();
      await server.close();
    },
  };
});

const test = suite<{ server: TestS3; directory: string }>("s3");
test.before.each(async (context) => {
  context.server = await serveS3(credentials.accessKeyId, credentials.secretAccessKey);
  context.directory = mkdtempSync(join(tmpdir(), "floe-s3-"));
});
test.after.each(async ({ server, directory }) => {
  await server.close();
  removeTree(directory);
});

async function drain(transport: S3Transport, name: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of transport.stream(name)) parts.push(piece);
  return Buffer.concat(parts);
}

test("names of all characters are signed as they arrive", async ({ server }) => {
  const transport = transportTo(server);
  for (const name of ["plain", "nar/a.nar.zst", "log/x+y?z=1-a.b_c.drv", "a b/c'd(e)!*", "naïve"]) {
    assert.is(await transport.exists(name), false, name);
    await transport.write(name, utf8(name), "text/plain");
    assert.is(await transport.exists(name), true, name);
    assert.equal(await transport.read(name, 100), utf8(name));
    assert.equal(server.objects.get(`bucket/${name}`), Buffer.from(name));
    assert.is((await drain(transport, name)).toString(), name);
  }
  transport.close();
});

test("large files are written in parts, which become one file at the end", async ({ server, directory }) => {
  const contents = randomBytes(1_000_000);
  const file = {
    path: join(directory, "file"),
    sizeBytes: contents.length,
    sha256: hashBytes("sha256", contents).digest,
  };
  writeFileSync(file.path, contents);
  const transport = transportTo(server, { partBytes: 300_000 });
  let isFirst = true;
  server.refuse = (_, address) => {
    if (!isFirst || !address.includes("partNumber=2")) return undefined;
    isFirst = false;
    return 503;
  };
  await transport.write("nar/large", file, "application/x-nix-nar");
  assert.ok(equalBytes(server.objects.get("bucket/nar/large") as Buffer, contents));
  const puts = server.log.filter((line) => line.startsWith("PUT ") && line.endsWith(" 200"));
  assert.is(puts.length, 4);
  // When a part cannot be written, none stays behind.
  server.refuse = (_, address) => (address.includes("partNumber=3") ? 400 : undefined);
  try {
    await transport.write("nar/other", file, "application/x-nix-nar");
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "cache.not-writable");
  }
  assert.equal([server.objects.has("bucket/nar/other"), server.uploads.size], [false, 0]);
  transport.close();
});

test("a wrong secret, and nobody's, are refused", async ({ server }) => {
  server.objects.set("bucket/nix-cache-info", Buffer.from("StoreDir: /nix/store\n"));
  for (const wrong of [{ ...credentials, secretAccessKey: "other" }, undefined]) {
    const transport = transportTo(server, { credentials: wrong });
    assert.is(await transport.read("nix-cache-info", 1000), undefined);
    try {
      await transport.write("x", utf8("x"), "text/plain");
      assert.unreachable();
    } catch (error) {
      assert.is((error as CodedError).code, "cache.not-writable");
    }
    transport.close();
  }
});

test("objects go through a bucket, as its address says", async ({ server, directory }) => {
  const [source, target] = [openTemporaryStore(), openTemporaryStore()];
  const from = join(directory, "tree");
  mkdirSync(from);
  writeFileSync(join(from, "file"), randomBytes(200_000));
  const tree = await source.store.addTree({ name: "tree", from });
  const before = { ...process.env };
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
  try {
    const url = `s3://bucket/some/folder?endpoint=${server.endpoint}&scheme=http&region=eu-test-1`;
    using cache = await openStoreUrl(url, { create: true });
    await copyPaths({ from: source.store, to: cache, paths: [tree], trusted: [] });
    using again = await openStoreUrl(url);
    await copyPaths({ from: again, to: target.store, paths: [tree], trusted: [] });
    assert.ok(target.store.isValid(tree));
    assert.ok([...server.objects.keys()].every((key) => key.startsWith("bucket/some/folder/")));
  } finally {
    process.env = before;
    source.close();
    target.close();
  }
  for (const wrong of ["s3://", "s3://UPPER", "s3://bucket?scheme=ftp"]) {
    try {
      await openStoreUrl(wrong);
      assert.unreachable();
    } catch (error) {
      assert.is((error as CodedError).code, "store-url.malformed");
    }
  }
});

test("the bucket is part of the host's name where AWS wants it", () => {
  const addressFor = (bucket: string): string =>
    new S3Transport({ bucket, prefix: "a", region: "eu-test-1", scheme: "https" }).address;
  assert.is(addressFor("bucket"), "https://bucket.s3.eu-test-1.amazonaws.com/a");
  assert.is(addressFor("my.bucket"), "https://s3.eu-test-1.amazonaws.com/my.bucket/a");
});

test("readAwsSettings() finds credentials where the tools of AWS do", ({ directory: home }) => {
  mkdirSync(join(home, ".aws"));
  writeFileSync(
    join(home, ".aws/credentials"),
    "[default]\naws_access_key_id = DEFAULT\naws_secret_access_key = one\n\n# more\n[ work ]\naws_access_key_id=WORK\naws_secret_access_key=two=2\naws_session_token=three\n[broken]\naws_access_key_id=X\n",
  );
  writeFileSync(join(home, ".aws/config"), "[default]\nregion=eu-1\n[profile work]\nregion = eu-2\n");
  const read = (environment: Record<string, string>, profile?: string) =>
    readAwsSettings({ environment, home, profile });
  assert.equal(read({}), { credentials: { accessKeyId: "DEFAULT", secretAccessKey: "one" }, region: "eu-1" });
  const work = {
    credentials: { accessKeyId: "WORK", secretAccessKey: "two=2", sessionToken: "three" },
    region: "eu-2",
  };
  assert.equal(read({}, "work"), work);
  assert.equal(read({ AWS_PROFILE: "work" }), work);
  const environment = { AWS_ACCESS_KEY_ID: "ENV", AWS_SECRET_ACCESS_KEY: "four", AWS_REGION: "eu-3" };
  assert.equal(read(environment), { credentials: { accessKeyId: "ENV", secretAccessKey: "four" }, region: "eu-3" });
  assert.equal(read(environment, "work"), { ...work, region: "eu-3" });
  assert.is(read({}, "broken").credentials, undefined);
  assert.equal(readAwsSettings({ environment: {}, home: join(home, "none") }), {
    credentials: undefined,
    region: undefined,
  });
});

test.run();

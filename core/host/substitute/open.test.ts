import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatNarInfo, type NarInfo, storePathDigest } from "../../store/index.ts";
import { serveDirectory, type TestServer } from "../binary-cache/testing.ts";
import { removeTree } from "../files/index.ts";
import { openSubstituters } from "./open.ts";
import { SAMPLE_INFO } from "./testing.ts";

const test = suite("caches that are opened");
const directory = mkdtempSync(join(tmpdir(), "floe-open-"));
const servers: TestServer[] = [];
const before = process.env["XDG_CACHE_HOME"];

test.before(() => {
  process.env["XDG_CACHE_HOME"] = join(directory, "home");
});
test.after(async () => {
  if (before === undefined) delete process.env["XDG_CACHE_HOME"];
  else process.env["XDG_CACHE_HOME"] = before;
  await Promise.all(servers.map((server) => server.close()));
  removeTree(directory);
});

const info: NarInfo = { ...SAMPLE_INFO, url: "nar/x.nar", compression: "none" };

/** A cache that has {@link info}, and says this of itself. */
async function serve(name: string, cacheInfo: string): Promise<TestServer> {
  mkdirSync(join(directory, name));
  writeFileSync(join(directory, name, "nix-cache-info"), cacheInfo);
  writeFileSync(join(directory, name, `${storePathDigest(info.path)}.narinfo`), formatNarInfo(info));
  const server = await serveDirectory(join(directory, name));
  servers.push(server);
  return server;
}

async function find(urls: readonly string[], refresh = false): Promise<{ from?: string; warnings: string[] }> {
  const warnings: string[] = [];
  const all = openSubstituters({
    settings: { substituters: urls, trustedKeys: [], requireSignatures: false, trustedSubstituters: [] },
    cwd: directory,
    refresh,
    warn: (message) => warnings.push(message),
    signal: new AbortController().signal,
  });
  const offer = await all.find(info.path);
  all.close();
  return { ...(offer === undefined ? {} : { from: offer.from }), warnings };
}

const INFO = "GET /nix-cache-info";

test("openSubstituters() asks the cache of the lowest priority first, whatever else it says of itself", async () => {
  const official = await serve("official", "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n");
  const near = await serve("near", "StoreDir: /nix/store\nColour: blue\nPriority: 10\n");
  assert.equal(await find([official.url, near.url]), { from: near.url, warnings: [] });
  assert.equal(official.log, [INFO]);
});

test("openSubstituters() leaves out a cache for another store directory, each time anew", async () => {
  const other = await serve("other", "StoreDir: /gnu/store\n");
  for (const asked of [1, 2]) {
    const { from, warnings } = await find([other.url]);
    assert.is(from, undefined);
    assert.match(warnings.join(), `its objects are for "/gnu/store", expected "/nix/store"`);
    assert.is(other.log.length, asked);
  }
});

test("openSubstituters() asks a cache once in seven days what it is, unless told to", async () => {
  const cache = await serve("remembered", "StoreDir: /nix/store\nPriority: 30\n");
  for (const _ of [1, 2]) assert.is((await find([cache.url])).from, cache.url);
  assert.is(cache.log.filter((line) => line === INFO).length, 1);
  assert.is((await find([cache.url], true)).from, cache.url);
  assert.is(cache.log.filter((line) => line === INFO).length, 2);
});

test.run();

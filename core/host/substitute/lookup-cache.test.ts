import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes } from "../../base/index.ts";
import { makeTextPath, type NarInfo } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import { LookupCache, lookupCacheFile } from "./lookup-cache.ts";
import { remembering } from "./remembering.ts";

const directory = mkdtempSync(join(tmpdir(), "floe-lookups-"));
test.after(() => removeTree(directory));

const URL_A = "https://user:secret@a.example/";
const there = makeTextPath("there", "", []);
const absent = makeTextPath("absent", "", []);
const info: NarInfo = {
  path: there,
  url: "nar/x.nar.zst",
  compression: "zstd",
  narHash: hashBytes("sha256", "x"),
  narSize: 120,
  fileSize: 100,
  references: [absent],
  signatures: ["key-1:c2ln"],
};
let seconds = 1_700_000_000;
const openAt = (name: string) => new LookupCache({ file: join(directory, name), now: () => seconds });

test("LookupCache gives back what was noted, to the next process too, per cache", () => {
  const first = openAt("a");
  first.remember(URL_A, there, info);
  first.remember(URL_A, absent, undefined);
  first.close();
  const second = openAt("a");
  assert.equal(second.find("https://a.example", there), info);
  assert.is(second.find(URL_A, absent), "missing");
  assert.is(second.find("https://b.example", there), undefined);
  second.close();
});

test("LookupCache believes a miss for an hour and a hit for thirty days", () => {
  const cache = openAt("b");
  cache.remember(URL_A, there, info);
  cache.remember(URL_A, absent, undefined);
  cache.flush();
  const begun = seconds;
  const at = (age: number) => {
    seconds = begun + age;
    return [cache.find(URL_A, there) !== undefined, cache.find(URL_A, absent) !== undefined];
  };
  assert.equal(at(3600), [true, true]);
  assert.equal(at(3601), [true, false]);
  assert.equal(at(30 * 86_400), [true, false]);
  assert.equal(at(30 * 86_400 + 1), [false, false]);
  // A clock that was set back does not make answers last for ever.
  assert.equal(at(-1), [false, false]);
  seconds = begun;
  cache.close();
});

test("LookupCache.forget() asks again about what was uploaded", () => {
  const cache = openAt("c");
  cache.remember(URL_A, absent, undefined);
  cache.flush();
  cache.forget("https://a.example", [absent]);
  assert.is(cache.find(URL_A, absent), undefined);
  cache.close();
});

test("LookupCache begins anew with a damaged file, and does without one", () => {
  writeFileSync(join(directory, "d"), "this is no database, however long the text may be that stands here");
  const cache = openAt("d");
  cache.remember(URL_A, there, info);
  cache.flush();
  assert.equal(cache.find(URL_A, there), info);
  cache.close();
  writeFileSync(join(directory, "file"), "");
  const nowhere = openAt("file/inside");
  nowhere.remember(URL_A, there, info);
  assert.is(nowhere.find(URL_A, there), undefined);
  nowhere.close();
  assert.is(readdirSync(directory).includes("file"), true);
});

test("LookupCache believes for seven days what a cache said of itself", () => {
  const cache = openAt("f");
  cache.rememberCacheInfo(URL_A, "Priority: 40\n");
  const begun = seconds;
  const at = (age: number) => {
    seconds = begun + age;
    return cache.findCacheInfo("https://a.example");
  };
  assert.equal([at(0), at(7 * 86_400)], ["Priority: 40\n", "Priority: 40\n"]);
  assert.equal([at(7 * 86_400 + 1), at(-1)], [undefined, undefined]);
  seconds = begun;
  assert.is(cache.findCacheInfo("https://b.example"), undefined);
  cache.close();
});

test("lookupCacheFile() lies in the user's cache", () => {
  assert.is(lookupCacheFile({ HOME: "/home/a" }), "/home/a/.cache/floe/lookups-v1.sqlite");
  assert.is(lookupCacheFile({ HOME: "/home/a", XDG_CACHE_HOME: "/c" }), "/c/floe/lookups-v1.sqlite");
});

test("remembering() asks a store once, and again after a disappointment or when told to", async () => {
  const asked: string[] = [];
  const store = {
    storeDirectory: "/nix/store",
    isValid: () => false,
    queryByDigest: () => undefined,
    queryPathInfo(path: string) {
      asked.push(path);
      return path === there ? info : undefined;
    },
    readNar: () => {
      throw new Error("not asked for");
    },
  };
  const lookups = openAt("e");
  const substituter = remembering({ url: URL_A, priority: 0, store }, lookups);
  for (const path of [there, absent]) await substituter.store.queryPathInfo(path);
  lookups.flush();
  assert.equal(await substituter.store.queryPathInfo(there), info);
  assert.is(await substituter.store.isValid(absent), false);
  assert.equal(asked, [there, absent]);
  substituter.disappointed?.(there);
  await substituter.store.queryPathInfo(there);
  await remembering({ url: URL_A, priority: 0, store }, lookups, { refresh: true }).store.queryPathInfo(absent);
  assert.equal(asked, [there, absent, there, absent]);
  lookups.close();
});

test.run();

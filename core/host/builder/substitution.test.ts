import { readdirSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { CodedError, hashBytes, utf8 } from "../../base/index.ts";
import type { BuildEvent } from "../../build/index.ts";
import type { DerivationValue } from "../../derivation/index.ts";
import {
  dumpFileNar,
  makeTextPath,
  MemoryStore,
  type PathInfo,
  publicKeyOf,
  signPathInfo,
  type StorePath,
} from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import { ed25519, generateSecretKey } from "../signing/index.ts";
import { type Substituter, Substituters, type SubstitutersOptions } from "../substitute/index.ts";
import { type BuildOptions, buildPaths } from "./build-paths.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("substitution");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const key = generateSecretKey("cache-1");
  const foreign = generateSecretKey("foreign-1");
  const { store, openOther } = bench;

  /** A store in memory with the closure of some outputs, signed. */
  async function cacheOf(values: readonly DerivationValue[], signer = key): Promise<MemoryStore> {
    const cache = new MemoryStore();
    for (const path of store.closure(values.map((value) => value.outPath as StorePath))) {
      const info = store.queryPathInfo(path) as PathInfo;
      const signatures = info.ca === undefined ? [signPathInfo(info, signer, ed25519)] : [];
      await cache.importNar({ ...info, signatures }, store.readNar(path));
    }
    return cache;
  }
  const source = (url: string, cache: Substituter["store"], priority = 0) => ({
    url,
    open: async () => ({ url, priority, store: cache }),
  });
  /** Build in another store that may take from the given ones. */
  async function buildElsewhere(
    value: DerivationValue,
    sources: SubstitutersOptions["sources"],
    more: Partial<SubstitutersOptions> & { readonly options?: BuildOptions; readonly into?: LocalStore } = {},
  ) {
    const into = more.into ?? (await openOther());
    const warnings: string[] = [];
    const events: BuildEvent[] = [];
    const substituters = new Substituters({
      sources,
      trustedKeys: [publicKeyOf(key)],
      warn: (message) => warnings.push(message),
      ...more,
    });
    const report = await buildPaths({
      store: into,
      targets: [{ drvPath: value.drvPath as StorePath }],
      options: { substituters, maxJobs: 2, cores: 1, ...more.options, events: (event) => void events.push(event) },
    });
    for (const event of events) if (event.kind === "warning") warnings.push(event.message);
    return { ...report, into, warnings, events };
  }
  const leftovers = (into: LocalStore) =>
    readdirSync(into.realStoreDirectory).filter((name) => !into.isValid(`/nix/store/${name}`) && name !== ".links");

  // A chain of references, of which the middle has an input that is needed only to build it.
  const tool = await bench.script("echo tool > $out", { name: "tool" });
  const lib = await bench.script(`read x < ${tool}; echo lib > $out`, { name: "lib" });
  const app = await bench.script(`mkdir $out; echo ${lib} > $out/lib; echo $out > $out/self`, { name: "app" });
  const top = await bench.script(`read l < ${app}/lib; echo $l > $out`, { name: "top" });
  assert.is((await bench.build(top)).exitCode, 0);
  const cache = await cacheOf([app]);

  test("buildPaths() takes what another store has, with its references, and builds the rest", async () => {
    const report = await buildElsewhere(top, [source("memory://cache", cache)]);
    assert.is(report.exitCode, 0);
    assert.equal(report.substituted, [lib.outPath, app.outPath]);
    assert.equal(report.built, [top.drvPath]);
    assert.is(report.into.isValid(tool.outPath), false);
    const info = report.into.queryPathInfo(app.outPath as StorePath) as PathInfo;
    assert.equal(info.references, [app.outPath, lib.outPath].sort());
    assert.equal(info.signatures, cache.queryPathInfo(app.outPath as StorePath)?.signatures);
    assert.equal([info.ultimate, info.deriver], [false, app.drvPath]);
    assert.is(readFileSync(report.into.realPath(top.outPath), "utf8"), `${lib.outPath}\n`);
    assert.equal(report.warnings, []);
    assert.equal(leftovers(report.into), []);
    const kinds = report.events.map((event) => event.kind);
    assert.ok(kinds.includes("transfer-started") && kinds.includes("substituted"));
    assert.equal((await buildElsewhere(top, [], { into: report.into })).plan.jobs, []);
  });

  test("buildPaths() refuses what nobody trusted signed, says so once, and builds it", async () => {
    for (const [signer, trustedKeys, expected] of [
      [
        foreign,
        [publicKeyOf(key)],
        /memory:\/\/cache: Cannot trust ".*-app": the signatures of foreign-1 do not count, expected one by cache-1/,
      ],
      [key, [], /expected one by a trusted key, and there are none/],
    ] as const) {
      const report = await buildElsewhere(top, [source("memory://cache", await cacheOf([app], signer))], {
        trustedKeys,
      });
      assert.equal([report.exitCode, report.substituted], [0, []]);
      assert.is(report.warnings.length, 1);
      assert.match(report.warnings[0] ?? "", expected);
    }
    const careless = { requireSignatures: false, trustedKeys: [] };
    const report = await buildElsewhere(top, [source("memory://cache", await cacheOf([app], foreign))], careless);
    assert.is(report.substituted.length, 2);
  });

  test("buildPaths() does without a store that is down, silent, or of another directory, with one warning each", async () => {
    const down = {
      url: "http://down.example",
      open: () => Promise.reject(new CodedError("cache.down", "Cannot reach it")),
    };
    const mute = Object.assign(new MemoryStore(), { queryPathInfo: () => new Promise<undefined>(() => {}) });
    const elsewhere = Object.assign(new MemoryStore(), { storeDirectory: "/gnu/store" });
    const sources = [
      down,
      source("memory://mute", mute),
      source("memory://elsewhere", elsewhere),
      source("memory://good", cache, 9),
    ];
    const report = await buildElsewhere(top, sources, { answerTimeoutMs: 100 });
    assert.equal([report.exitCode, report.substituted.length], [0, 2]);
    assert.equal(report.warnings.toSorted(), [
      "http://down.example is left out: Cannot reach it",
      `memory://elsewhere is left out: its objects belong to "/gnu/store", expected "/nix/store"`,
      `memory://mute is left out: Cannot wait for the store "memory://mute": it was silent for 0.1 s`,
    ]);
  });

  /** The cache, but with other bytes in the archive of one path. */
  const lying = (nar: (path: StorePath) => AsyncIterable<Uint8Array> | undefined) =>
    Object.assign(Object.create(cache) as MemoryStore, {
      storeDirectory: cache.storeDirectory,
      isValid: (path: StorePath) => cache.isValid(path),
      queryPathInfo: (path: StorePath) => cache.queryPathInfo(path),
      readNar: (path: StorePath) => nar(path) ?? cache.readNar(path),
    });
  async function* bytes(...pieces: Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* pieces;
  }
  const LIES: Record<string, (size: number) => AsyncIterable<Uint8Array>> = {
    "other contents": () => cache.readNar(app.outPath as StorePath),
    truncated: async function* () {
      for await (const piece of cache.readNar(lib.outPath as StorePath)) yield piece.subarray(0, 40);
    },
    "no archive": () => bytes(Buffer.from("<html>sorry</html>")),
    "without end": async function* () {
      for (;;) yield new Uint8Array(1 << 16);
    },
    silence: async function* () {
      yield new Uint8Array(0);
      await new Promise(() => {});
    },
    error: async function* () {
      yield new Uint8Array(0);
      throw new Error("connection reset");
    },
  };
  for (const [name, lie] of Object.entries(LIES)) {
    test(`buildPaths() takes nothing from a store that lies about one path (${name})`, async () => {
      const liar = lying((path) => (path === lib.outPath ? lie(0) : undefined));
      const alone = await buildElsewhere(top, [source("memory://liar", liar)], { stallTimeoutMs: 200 });
      // What refers to it came, but counts only once it is built; all of that is planned anew.
      assert.is(alone.exitCode, 0);
      assert.equal(alone.built.includes(lib.drvPath as StorePath), true);
      assert.equal(alone.substituted.includes(lib.outPath as StorePath), false);
      assert.match(alone.warnings.join(), /^memory:\/\/liar: /);
      assert.equal(leftovers(alone.into), []);
    });
  }

  test("buildPaths() takes from the next store what the first did not give", async () => {
    const liar = lying((path) => (path === lib.outPath ? cache.readNar(app.outPath as StorePath) : undefined));
    const both = await buildElsewhere(top, [source("memory://liar", liar), source("memory://good", cache, 1)], {
      stallTimeoutMs: 200,
    });
    assert.equal([both.exitCode, both.built], [0, [top.drvPath]]);
    assert.equal(both.substituted.toSorted(), [app.outPath, lib.outPath].toSorted());
  });

  test("buildPaths() leaves a store out that cannot be reached any more while it is taken from", async () => {
    const dying = lying(async function* (path) {
      await new Promise((resolve) => setTimeout(resolve, path === lib.outPath ? 0 : 100));
      yield new Uint8Array(0);
      throw new CodedError("cache.unreachable", "Cannot use the cache: it went away");
    });
    const report = await buildElsewhere(top, [source("memory://dying", dying), source("memory://good", cache, 1)]);
    assert.equal([report.exitCode, report.substituted.length], [0, 2]);
    assert.is(report.warnings.filter((warning) => warning.includes("is left out")).length, 1);
  });

  test("buildPaths() without fallback fails when a store does not keep its word", async () => {
    const liar = lying((path) => (path === lib.outPath ? bytes(new Uint8Array(9)) : undefined));
    const report = await buildElsewhere(top, [source("memory://liar", liar)], { options: { fallback: false } });
    assert.equal([report.exitCode, report.built, report.substituted], [1, [], []]);
    assert.equal(
      report.failures.map(({ error }) => error.code),
      ["build.no-substitute"],
    );
    assert.equal(report.dependencyFailed.toSorted(), [app.outPath, top.drvPath].toSorted());
    assert.equal(leftovers(report.into), []);
  });

  test("a store whose answer is about another path is not believed", async () => {
    const swapped = Object.assign(
      lying(() => undefined),
      {
        queryPathInfo: () => cache.queryPathInfo(lib.outPath as StorePath),
      },
    );
    const report = await buildElsewhere(app, [source("memory://swapped", swapped)]);
    assert.equal(report.substituted.includes(app.outPath as StorePath), false);
    assert.match(
      report.warnings[0] ?? "",
      /^memory:\/\/swapped: Cannot use its answer: asked for ".*-app", found ".*-lib"/,
    );
  });

  test("a content address is no proof of other contents", async () => {
    // The path follows from the address, so no signature is asked for; the archive is another one.
    const value = await bench.script("echo fixed > $out", {
      name: "fixed",
      fixed: { method: "flat", hash: "sha256-DDBxQY5jVuYUiYyE7QZMqV6IVRvAgRtTS98ZUuza5TQ=" },
    });
    const lied = Object.assign(new MemoryStore(), {
      queryPathInfo: (path: StorePath) => ({
        ...(cache.queryPathInfo(lib.outPath as StorePath) as PathInfo),
        path,
        signatures: [],
        ca: "fixed:sha256:0d75vbn546fz9d9ip0f03daqhpm99h3fv14ci4afcmk3ir0p2c0c",
      }),
      readNar: () => cache.readNar(lib.outPath as StorePath),
    });
    const report = await buildElsewhere(value, [source("memory://liar", lied)]);
    assert.equal([report.exitCode, report.substituted, report.built], [0, [], [value.drvPath]]);
    assert.match(report.warnings[0] ?? "", /-fixed": found .*, expected "fixed:sha256:/);
  });

  test("a .drv file that states wrong paths takes along only what refers to it", async () => {
    const other = await bench.script("echo other > $out", { name: "other" });
    const both = await bench.script(`echo ${lib} ${other} > $out`, { name: "both" });
    await bench.build(both);
    const spoiled = await cacheOf([other]);
    const term = `Derive([("out","${other.outPath}","","")],[],[],"s","b",[],[("out","${other.outPath}")])`;
    const wrong = makeTextPath("wrong.drv", term, []);
    const nar = dumpFileNar(utf8(term));
    async function* pieces(): AsyncGenerator<Uint8Array> {
      yield nar;
    }
    const put = async (info: PathInfo, archive: AsyncIterable<Uint8Array>): Promise<void> =>
      spoiled.importNar({ ...info, signatures: [signPathInfo(info, key, ed25519)] }, archive);
    const narHash = hashBytes("sha256", nar);
    await put({ path: wrong, narHash, narSize: nar.length, references: [], signatures: [] }, pieces());
    const path = lib.outPath as StorePath;
    await put({ ...(cache.queryPathInfo(path) as PathInfo), references: [wrong] }, cache.readNar(path));
    const report = await buildElsewhere(both, [source("memory://spoiled", spoiled)]);
    assert.equal([report.exitCode, report.failures], [0, []]);
    assert.equal(report.substituted, [other.outPath]);
    assert.equal(report.built.toSorted(), [tool, lib, both].map(({ drvPath }) => drvPath).toSorted());
    assert.equal(report.into.queryPathInfo(path)?.references, []);
    assert.is(report.into.isValid(wrong), false);
    assert.equal(leftovers(report.into), []);
  });

  test("buildPaths() takes wanted paths that no derivation is known for", async () => {
    const into = await openOther();
    const substituters = new Substituters({
      sources: [source("memory://cache", cache)],
      trustedKeys: [publicKeyOf(key)],
      warn: () => {},
    });
    const paths = [app.outPath as StorePath];
    const report = await buildPaths({ store: into, targets: [], paths, options: { substituters } });
    assert.equal([report.exitCode, report.substituted], [0, [lib.outPath, app.outPath]]);
    const error = await buildPaths({
      store: into,
      targets: [],
      paths: [top.outPath as StorePath],
      options: { substituters },
    }).catch((thrown: CodedError) => thrown);
    assert.is((error as CodedError).code, "build.no-substitute");
  });

  test("a cancelled transfer leaves nothing behind", async () => {
    const abort = new AbortController();
    const stuck = lying(async function* () {
      abort.abort(new Error("enough"));
      yield new Uint8Array(8);
      await new Promise(() => {});
    });
    const report = await buildElsewhere(app, [source("memory://stuck", stuck)], {
      options: { signal: abort.signal },
      stallTimeoutMs: 300,
    });
    assert.equal([report.cancelled, report.exitCode], [true, 130]);
    assert.equal(leftovers(report.into), []);
  });

  test("many small objects come over together", async () => {
    const count = 60;
    const list = Array.from({ length: count }, (_, i) => [`many-${i}`, `echo ${i} > $out`] as const);
    const drvs = await bench.scripts(list);
    const targets = drvs.map((drvPath) => ({ drvPath: drvPath as StorePath }));
    const first = await buildPaths({ store, targets, options: { maxJobs: 2 } });
    const full = new MemoryStore();
    for (const path of first.outputs) {
      const info = store.queryPathInfo(path) as PathInfo;
      await full.importNar({ ...info, signatures: [signPathInfo(info, key, ed25519)] }, store.readNar(path));
    }
    const into = await openOther();
    const substituters = new Substituters({
      sources: [source("memory://full", full)],
      trustedKeys: [publicKeyOf(key)],
      warn: () => {},
    });
    const report = await buildPaths({ store: into, targets, options: { substituters } });
    assert.equal([report.exitCode, report.substituted.length, report.built.length], [0, count, 0]);
  });

  test.after(() => bench.close());
}

test.run();

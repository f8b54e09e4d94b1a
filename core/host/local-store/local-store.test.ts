import { spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, type Hash, hashBytes, toBase32, utf8 } from "../../base/index.ts";
import { beginEvaluation, derivation, derivationPath, parseDerivation } from "../../derivation/index.ts";
import { dumpFileNar, makeSourcePath, makeTextPath, type PathInfo, type StorePath } from "../../store/index.ts";
import { makeSourceHost } from "../files/index.ts";
import { openLocalStore, treeAddress } from "./index.ts";
import { openTemporaryStore } from "./testing.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("local store");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const hasCode = (code: string) => (error: CodedError) => error.code === code;

async function rejects(code: string, promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (fault: CodedError) => fault,
  );
  assert.is(error?.code, code);
}

test("the database and its folder look as Nix makes them", ({ store }) => {
  const db = join(store.stateDirectory, "db");
  assert.is(readFileSync(join(db, "schema"), "utf8"), "10");
  assert.is(lstatSync(join(db, "big-lock")).mode & 0o777, 0o600);
  assert.is(lstatSync(join(db, "reserved")).size, 8 * 1024 * 1024);
  const names = new DatabaseSync(join(db, "db.sqlite"), { readOnly: true })
    .prepare("select name from sqlite_master where sql is not null order by name")
    .all();
  assert.equal(
    names.map((row) => row["name"]),
    [
      "DeleteSelfRefs",
      "DerivationOutputs",
      "IndexDerivationOutputs",
      "IndexReference",
      "IndexReferrer",
      "Refs",
      "ValidPaths",
      "sqlite_sequence",
    ],
  );
});

test("a chroot store has its objects below its root and names them as always", ({ store }) => {
  const path = store.addText("t", "x", []);
  assert.is(store.realPath(`${path}/y`), `${store.root}${path}/y`);
  const stat = lstatSync(store.realPath(path));
  assert.equal([stat.mode & 0o7777, stat.mtimeMs], [0o444, 1000]);
  assert.equal(store.allPaths(), [path]);
});

test("addTree() copies once, honours a filter and notices a changed source", async ({ store, folder }) => {
  const from = join(folder, "tree");
  mkdirSync(from);
  for (const name of ["a.c", "a.o"]) writeFileSync(join(from, name), name);
  const all = await store.addTree({ name: "all", from });
  const some = await store.addTree({ name: "all", from, filter: (name) => !name.endsWith(".o") });
  assert.equal(readdirSync(store.realPath(some)), ["a.c"]);
  assert.is(await store.addTree({ name: "all", from: join(folder, "gone"), expected: all }), all);
  const expected = makeSourcePath("all", hashBytes("sha256", "something else"));
  await rejects("store.source-changed", store.addTree({ name: "all", from, expected }));
  assert.is(existsSync(store.realPath(expected)), false);
  assert.equal(
    readdirSync(store.realStoreDirectory).filter((name) => name.endsWith(".lock")),
    [],
  );
});

test("addTree() of a flat file takes its contents alone", async ({ store, folder }) => {
  const from = join(folder, "tool");
  writeFileSync(from, "#!/bin/sh\n", { mode: 0o755 });
  const path = await store.addTree({ name: "tool", from, method: "flat", algorithm: "sha1" });
  assert.is(lstatSync(store.realPath(path)).mode & 0o777, 0o444);
  assert.match(store.queryPathInfo(path)?.ca ?? "", /^fixed:sha1:/);
  await rejects("store.not-a-file", store.addTree({ name: "x", from: folder, method: "flat" }));
  await rejects("source.missing", store.addTree({ name: "x", from: join(folder, "gone"), method: "flat" }));
});

test("addTree() records what an object refers to, where its address can hold that", async ({ store, folder }) => {
  const from = join(folder, "text");
  const lib = store.addText("lib", "lib", []);
  writeFileSync(from, lib);
  const options = { name: "text", from, references: [lib] };
  const tree = await store.addTree(options);
  assert.is(tree, makeSourcePath("text", store.queryPathInfo(tree)?.narHash as Hash, [lib]));
  assert.equal([store.closure([tree]), store.queryReferrers(lib)], [[lib, tree], [tree]]);
  // The same object as by the other door.
  assert.is(await store.addTree({ ...options, method: "text" }), store.addText("text", lib, [lib]));
  await rejects("content-address.references", store.addTree({ ...options, method: "flat" }));
  await rejects("content-address.references", store.addTree({ ...options, algorithm: "sha1" }));
  await rejects("content-address.algorithm", store.addTree({ name: "t", from, method: "text", algorithm: "md5" }));
  const absent = makeTextPath("absent", "x", []);
  await rejects("store.reference-not-valid", store.addTree({ ...options, references: [absent] }));
  assert.equal(store.allPaths().length, 3);
});

test("treeAddress() is where addTree() puts things", async ({ store, folder }) => {
  const from = join(folder, "file");
  writeFileSync(from, "x".repeat(3_000_000), { mode: 0o755 });
  for (const method of ["recursive", "flat", "text"] as const) {
    for (const algorithm of ["sha256", "sha512"] as const) {
      if (method === "text" && algorithm !== "sha256") continue;
      const options = { name: "file", from, method, algorithm };
      assert.is(await treeAddress(options), await store.addTree(options));
    }
  }
  await rejects("source.missing", treeAddress({ name: "x", from: `${from}-gone`, method: "flat" }));
});

test("derivations are added with their outputs, and read back", ({ store }) => {
  const evaluation = beginEvaluation(makeSourceHost());
  const a = derivation({ name: "a", system: "s", builder: "b", outputs: ["out", "dev"] });
  const b = derivation({ name: "b", system: "s", builder: `${a}/b` });
  const text = (path: string): string => evaluation.derivations.get(path) as string;
  assert.throws(() => store.addDerivationText(b.drvPath, text(b.drvPath)), hasCode("store.reference-not-valid"));
  assert.throws(() => store.addDerivationText(b.drvPath, text(a.drvPath)), hasCode("store.wrong-path"));
  for (const { drvPath } of [a, b]) store.addDerivationText(drvPath, text(drvPath));
  assert.equal(store.readDerivation(b.drvPath), parseDerivation(text(b.drvPath), "b"));
  assert.equal(store.queryValidDerivers(a.outputs["dev"] as StorePath), [a.drvPath]);
  assert.equal(store.closure([b.drvPath as StorePath]), [a.drvPath, b.drvPath]);
  assert.throws(() => store.readDerivation(makeTextPath("x.drv", "", [])), hasCode("store.not-valid"));
});

test("a derivation that states a wrong output path is refused", ({ store }) => {
  const evaluation = beginEvaluation(makeSourceHost());
  const a = derivation({ name: "a", system: "s", builder: "b" });
  const right = parseDerivation(evaluation.derivations.get(a.drvPath) as string, "a");
  const forged = { ...right, builder: "other" };
  assert.throws(() => store.addDerivation(forged), hasCode("derivation.inconsistent"));
  assert.is(store.isValid(derivationPath(forged)), false);
});

test("registering again keeps deriver and time and changes the rest; cycles are refused", ({ store }) => {
  const path = store.addText("t", "x", []);
  const before = store.queryPathInfo(path) as PathInfo;
  store.registerOutputs([{ ...before, registrationTime: 1, deriver: path, ultimate: true, signatures: ["k:1"] }]);
  const after = store.queryPathInfo(path) as PathInfo;
  assert.equal(
    [after.registrationTime, after.deriver, after.ultimate, after.signatures],
    [before.registrationTime, undefined, true, ["k:1"]],
  );
  const other = makeTextPath("other", "", []);
  writeFileSync(store.realPath(other), "");
  const cycle = [
    { ...before, ca: undefined, references: [other] },
    { ...before, ca: undefined, path: other, references: [path] },
  ];
  assert.throws(() => store.registerOutputs(cycle), hasCode("store.reference-cycle"));
  assert.is(store.isValid(other), false);
});

test("in a batch everything counts at once and is registered at the end, or not at all", async ({ store }) => {
  const outside = openLocalStore({ root: store.root, readOnly: true });
  await store.batch(() => {
    const a = store.addText("a", "a", []);
    const b = store.addText("b", a, [a]);
    assert.equal(store.closure([b]), [a, b]);
    assert.is(outside.isValid(b), false);
  });
  assert.is(outside.allPaths().length, 2);
  outside.close();
  await store
    .batch(() => {
      store.addText("c", "c", []);
      throw new Error("stop");
    })
    .catch(() => {});
  assert.is(store.isValid(makeTextPath("c", "c", [])), false);
  assert.ok(store.addText("c", "c", []));
});

test("leftovers of an interrupted write are replaced", async ({ store, folder }) => {
  const text = makeTextPath("t", "x", []);
  mkdirSync(join(store.realPath(text), "half"), { recursive: true });
  assert.is(store.addText("t", "x", []), text);
  assert.is(readFileSync(store.realPath(text), "utf8"), "x");
  const from = join(folder, "tree");
  mkdirSync(from);
  writeFileSync(join(from, "f"), "f");
  const scratch = openTemporaryStore();
  const path = await scratch.store.addTree({ name: "tree", from });
  scratch.close();
  writeFileSync(store.realPath(path), "half");
  assert.is(await store.addTree({ name: "tree", from }), path);
});

test("a process that is killed in the middle of a batch leaves nothing registered", ({ store }) => {
  const script = `
    import { openLocalStore } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const store = openLocalStore({ root: ${JSON.stringify(store.root)} });
    await store.batch(() => { store.addText("killed", "x", []); process.kill(process.pid, "SIGKILL"); });`;
  const { signal } = spawnSync(process.execPath, ["--input-type=module", "-e", script]);
  assert.is(signal, "SIGKILL");
  assert.is(store.isValid(makeTextPath("killed", "x", [])), false);
  assert.ok(store.isValid(store.addText("killed", "x", [])));
});

test("a link made as indirect root is registered by the hash of its place", ({ store, folder }) => {
  const path = store.addText("t", "x", []);
  const link = join(folder, "result");
  store.addIndirectRoot(link, path);
  store.addIndirectRoot(link, path);
  assert.is(readlinkSync(link), path);
  const auto = join(store.stateDirectory, "gcroots/auto", toBase32(hashBytes("sha1", link).digest));
  assert.is(readlinkSync(auto), link);
  assert.throws(() => store.addIndirectRoot(join(store.realStoreDirectory, "x"), path), hasCode("store.root-in-store"));
  writeFileSync(join(folder, "taken"), "mine");
  symlinkSync("/etc", join(folder, "elsewhere"));
  for (const name of ["taken", "elsewhere"])
    assert.throws(() => store.addIndirectRoot(join(folder, name), path), hasCode("store.root-taken"));
});

test("a store that was never made is empty to who only asks, and nothing is made", ({ folder }) => {
  const root = join(folder, "never");
  const store = openLocalStore({ root, readOnly: true });
  assert.equal(store.allPaths(), []);
  assert.is(store.queryByDigest("0".repeat(32)), undefined);
  store.close();
  assert.is(existsSync(root), false);
});

test("a newer schema, and a place that cannot be written", ({ store, folder }) => {
  writeFileSync(join(store.stateDirectory, "db/schema"), "11");
  assert.throws(() => openLocalStore({ root: store.root }), hasCode("store.schema-unsupported"));
  writeFileSync(join(folder, "file"), "");
  assert.throws(() => openLocalStore({ root: join(folder, "file") }), hasCode("store.not-writable"));
});

test("opening an existing store is quick", ({ store }) => {
  // The best of ten: the machine may be busy with other things.
  const times = Array.from({ length: 10 }, () => {
    const started = performance.now();
    openLocalStore({ root: store.root }).close();
    return performance.now() - started;
  });
  assert.ok(Math.min(...times) < 10, `${Math.min(...times).toFixed(1)} ms`);
});

test("unpackNar() refuses a .drv file that is none, and leaves nothing of it", async ({ store }) => {
  const text = "Derive([";
  const path = makeTextPath("broken.drv", text, []);
  const nar = dumpFileNar(utf8(text));
  const info: PathInfo = {
    path,
    narHash: hashBytes("sha256", nar),
    narSize: nar.length,
    references: [],
    signatures: [],
  };
  async function* pieces(): AsyncGenerator<Uint8Array> {
    yield nar;
  }
  await rejects("derivation.malformed", store.unpackNar(info, pieces()));
  assert.is(store.isValid(path), false);
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

test.run();

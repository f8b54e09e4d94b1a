import { spawnSync } from "node:child_process";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../../base/index.ts";
import { beginEvaluation, derivation, parseDerivation, toFile } from "../../derivation/index.ts";
import { makeRealisationId, makeTextPath, type PathInfo, type Realisation, type StorePath } from "../../store/index.ts";
import { makeSourceHost, removeTree, scanTree } from "../files/index.ts";
import { JOURNAL_NAME, lockFileSync, openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { type RecoveryReport, recoverStore } from "./index.ts";

interface Context extends ReturnType<typeof openTemporaryStore> {
  root: string;
  db: string;
}

const test = suite<Context>("recover");
test.before.each((context) => {
  Object.assign(context, openTemporaryStore());
  context.root = context.store.root;
  context.db = join(context.store.stateDirectory, "db");
});
test.after.each((context) => context.close());

const nixPresent = spawnSync("nix-store", ["--version"]).status === 0;
if (!nixPresent) console.log("skipped in part: nix-store is not on the PATH, so real Nix cannot be asked");

function assertNixAgrees(root: string): void {
  if (!nixPresent) return;
  const { status, stderr } = spawnSync("nix-store", ["--store", root, "--verify", "--check-contents"], {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "" },
  });
  assert.is(status, 0, stderr);
  assert.not.match(stderr, /modified|missing|disappeared|error/);
}

/** A store with a bit of everything; it is closed afterwards. */
async function fill({ store, folder, root }: Context): Promise<void> {
  const evaluation = beginEvaluation(makeSourceHost());
  const text = toFile("text", "hello") as StorePath;
  const value = derivation({ name: "a", system: "s", builder: "/bin/sh", env: { text }, outputs: ["out", "dev"] });
  const from = join(folder, "tree");
  mkdirSync(from, { recursive: true });
  writeFileSync(join(from, "f"), "f".repeat(10_000), { mode: 0o755 });
  await store.batch(async () => {
    store.addText("text", "hello", []);
    for (const [path, term] of evaluation.derivations) store.addDerivationText(path, term);
    await store.addTree({ name: "tree", from });
    await store.addTree({ name: "flat", from: join(from, "f"), method: "flat", algorithm: "sha1" });
    for (let i = 0; i < 100; i++) store.addText(`many-${i}`, `${text} ${i}`, [text]);
  });
  const drvPath = value.drvPath as StorePath;
  const out = parseDerivation(evaluation.derivations.get(drvPath) as string, "a").outputs["out"]?.path as StorePath;
  mkdirSync(store.realPath(out));
  writeFileSync(join(store.realPath(out), "self"), `${out} ${text}`);
  const scanned = await scanTree(store.realPath(out), { candidates: [out, text], canonicalise: true });
  store.registerOutputs([
    { path: out, ...scanned, deriver: drvPath, ultimate: true, signatures: ["k:1", "l:2"], registrationTime: 1234 },
  ]);
  const known = (name: string, ...on: Realisation[]): Realisation => ({
    id: makeRealisationId(hashBytes("sha256", name).digest, "out"),
    outPath: out,
    signatures: ["k:1"],
    dependentRealisations: new Map(on.map(({ id, outPath }) => [id, outPath])),
  });
  const first = known("first");
  store.addRealisations([first, known("second", first)]);
  if (nixPresent) {
    writeFileSync(join(folder, "by-nix"), "nix");
    const { status } = spawnSync("nix-store", ["--store", root, "--add", join(folder, "by-nix")], {
      env: { ...process.env, NIX_REMOTE: "" },
    });
    assert.is(status, 0);
  }
  store.addText("last", "last", []);
  store.close();
}

interface Known {
  readonly infos: readonly (PathInfo | undefined)[];
  readonly closures: readonly (readonly string[])[];
  readonly derivers: readonly (readonly string[])[];
  readonly realisations: readonly (Realisation | undefined)[];
}

function readAll(root: string): Known {
  using store = openLocalStore({ root, readOnly: true });
  const paths = store.allPaths();
  return {
    infos: paths.map((path) => store.queryPathInfo(path)),
    closures: paths.map((path) => store.closure([path])),
    derivers: paths.map((path) => store.queryValidDerivers(path)),
    realisations: ["first", "second"].map((name) =>
      store.queryRealisation(makeRealisationId(hashBytes("sha256", name).digest, "out")),
    ),
  };
}

const sum = ({ recovered }: RecoveryReport): number => recovered.journal + recovered.database + recovered.files;

test("a database that was deleted comes back from the journal, with all it knew", async (context) => {
  await fill(context);
  const { root, db } = context;
  const before = readAll(root);
  const losses: readonly (readonly string[])[] = [
    ["db.sqlite"],
    ["db.sqlite", "schema", "reserved"],
    ["db.sqlite", "schema", "big-lock"],
  ];
  for (const names of losses) {
    for (const name of names) rmSync(join(db, name));
    assert.throws(
      () => openLocalStore({ root }),
      (error: CodedError) => error.code === "store.database-lost" && /floe store recover/.test(error.hint ?? ""),
    );
    const report = await recoverStore({ root });
    assert.is(report.recovered.journal, before.infos.length);
    assert.equal([report.lost, report.unknown, report.journalDamageBytes], [[], 0, 0]);
    assert.equal(readAll(root), before);
    assertNixAgrees(root);
  }
  const again = await recoverStore({ root });
  assert.is(again.alreadyWhole, true);
});

test("whatever bytes of the database are damaged, it comes back", async (context) => {
  await fill(context);
  const { root, db } = context;
  const before = readAll(root);
  const file = join(db, "db.sqlite");
  const original = readFileSync(file);
  const seed = Number(process.env["FLOE_TEST_SEED"] ?? Date.now() % 1_000_000);
  console.log(`seed ${seed}`);
  let state = seed + 1;
  const random = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  for (let round = 0; round < 8; round++) {
    writeFileSync(file, original);
    const at = round === 0 ? 0 : random(original.length);
    if (round % 4 === 3) truncateSync(file, at);
    else {
      const fd = openSync(file, "r+");
      const bytes = Buffer.from(Array.from({ length: round % 2 === 0 ? 600 : 1 }, () => random(256)));
      writeSync(fd, bytes, 0, bytes.length, Math.min(at, original.length - bytes.length));
      closeSync(fd);
    }
    await recoverStore({ root });
    assert.equal(readAll(root), before, `round ${round}, byte ${at}, seed ${seed}`);
    rmSync(join(db, "damaged-1"), { recursive: true, force: true });
  }
  assertNixAgrees(root);
});

test("without a journal, rows and objects that certify themselves come back", async (context) => {
  await fill(context);
  const { root, db } = context;
  const before = readAll(root);
  rmSync(join(db, JOURNAL_NAME));
  const page = openSync(join(db, "db.sqlite"), "r+");
  writeSync(page, Buffer.alloc(4096, 1), 0, 4096, 4096 * 6);
  closeSync(page);
  const fromRows = await recoverStore({ root });
  assert.ok(fromRows.recovered.database > 0);
  assert.equal(
    readAll(root).infos.map((info) => info?.path),
    before.infos.map((info) => info?.path),
  );
  assertNixAgrees(root);
  for (const name of ["db.sqlite", "schema", JOURNAL_NAME]) rmSync(join(db, name));
  const fromFiles = await recoverStore({ root });
  // Only what a builder made does not say whether it is complete.
  assert.equal([fromFiles.recovered.files, fromFiles.unknown], [before.infos.length - 1, 1]);
  const after = readAll(root).infos;
  const expected = before.infos.filter((info) => info?.deriver === undefined);
  assert.equal(
    after.map((info) => [info?.path, info?.ca, info?.references]),
    expected.map((info) => [info?.path, info?.ca, info?.references]),
  );
  assertNixAgrees(root);
});

test("what is not whole, and what refers to it, is not made valid", async (context) => {
  const { store, root, db } = context;
  const a = store.addText("a", "a", []);
  const b = store.addText("b", a, [a]);
  const c = store.addText("c", b, [b]);
  const gone = store.addText("gone", "", []);
  const other = store.addText("other", "", []);
  store.close();
  chmodSync(store.realPath(a), 0o644);
  writeFileSync(store.realPath(a), "changed");
  removeTree(store.realPath(gone));
  writeFileSync(join(store.realStoreDirectory, `${other.slice(11)}.lock`), "");
  const leftover = makeTextPath("leftover", "x", []);
  writeFileSync(store.realPath(leftover), "half");
  rmSync(join(db, "db.sqlite"));
  const report = await recoverStore({ root });
  assert.equal(
    report.lost.map(({ path }) => path),
    [a, b, c].sort(),
  );
  assert.match(report.lost.find(({ path }) => path === b)?.why ?? "", `it refers to ${a}`);
  assert.equal([sum(report), report.unknown], [1, 1]);
  using after = openLocalStore({ root });
  assert.equal(after.allPaths(), [other]);
  // They can be made again.
  assert.is(after.addText("a", "a", []), a);
  assertNixAgrees(root);
});

test("with a part of the journal damaged, the rest comes back and the loss is told", async ({ store, root, db }) => {
  const a = store.addText("a", "a", []);
  store.addText("b", "b", []);
  store.close();
  const file = join(db, JOURNAL_NAME);
  writeFileSync(file, readFileSync(file, "latin1").replace(`${a.slice(11)} `, `${a.slice(11)}x`), "latin1");
  rmSync(join(db, "db.sqlite"));
  const report = await recoverStore({ root });
  assert.ok(report.journalDamageBytes > 100);
  // The text certifies itself.
  assert.equal(report.recovered, { journal: 1, database: 0, files: 1 });
});

test("the old database is kept, and a store that is in use or not there is refused", async ({
  store,
  root,
  db,
  folder,
}) => {
  store.addText("a", "a", []);
  const rejects = async (code: string, at: string): Promise<void> => {
    const error = await recoverStore({ root: at, force: true }).catch((fault: CodedError) => fault);
    assert.is((error as CodedError).code, code);
  };
  const lock = openSync(join(db, "big-lock"), "r+");
  lockFileSync(lock, "shared", { wait: true });
  store.close();
  await rejects("store.in-use", root);
  closeSync(lock);
  await rejects("store.missing", join(folder, "nowhere"));
  const report = await recoverStore({ root, force: true, contents: false });
  assert.is(report.kept, join(db, "damaged-1"));
  assert.ok(statSync(join(db, "damaged-1/db.sqlite")).size > 0);
  assert.is(report.recovered.journal, 1);
  assert.not.ok(existsSync(join(db, "db.sqlite-wal")));
});

test.run();

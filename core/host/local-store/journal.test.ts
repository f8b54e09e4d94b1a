import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../../base/index.ts";
import { JournalReader, type JournalRecord, makeTextPath, type PathInfo, type StorePath } from "../../store/index.ts";
import { StoreDatabase } from "./database.ts";
import { type LocalStore, makeLayout } from "./index.ts";
import { JOURNAL_NAME, StoreJournal } from "./journal.ts";
import { openTemporaryStore } from "./testing.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("journal");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const fileOf = (store: LocalStore): string => join(store.stateDirectory, "db", JOURNAL_NAME);

function read(store: LocalStore): { records: JournalRecord[]; reader: JournalReader } {
  const reader = new JournalReader();
  return { records: [...new StoreJournal(join(store.stateDirectory, "db")).read(reader)], reader };
}

/** What the journal says is valid at its end. */
function validIn(store: LocalStore): Map<StorePath, PathInfo> {
  const valid = new Map<StorePath, PathInfo>();
  for (const record of read(store).records) {
    if (record.kind === "valid") valid.set(record.info.path, record.info);
    if (record.kind === "invalid") valid.delete(record.path);
  }
  return valid;
}

/** The journal has exactly what the database has. */
function assertComplete(store: LocalStore): void {
  const valid = validIn(store);
  assert.equal([...valid.keys()].sort(), store.allPaths());
  for (const [path, info] of valid) assert.equal(info, store.queryPathInfo(path));
  assert.equal(read(store).reader.damage, []);
}

/** As real Nix does it: without the journal. */
function insertAsNix(store: LocalStore, path: StorePath): void {
  const database = new DatabaseSync(join(store.stateDirectory, "db/db.sqlite"), { enableForeignKeyConstraints: true });
  database
    .prepare("insert into ValidPaths (path, hash, registrationTime, narSize, sigs) values (?, ?, 7, 120, 'a:b c:d')")
    .run(path, `sha256:${"0".repeat(64)}`);
  database.close();
}

test("what is registered, changed and removed is in the journal", async ({ store }) => {
  const a = store.addText("a", "a", []);
  const b = await store.batch(() => store.addText("b", a, [a]));
  assertComplete(store);
  const info = store.queryPathInfo(a) as PathInfo;
  store.registerOutputs([{ ...info, registrationTime: 1, ultimate: true, signatures: ["z:1", "a:2"] }]);
  assertComplete(store);
  assert.equal(validIn(store).get(a)?.signatures, ["a:2", "z:1"]);
  const database = new StoreDatabase(makeLayout(store.root), { readOnly: false });
  database.transaction(() => {
    database.prepare("delete from ValidPaths where path = ?").run(b);
    database.record({ kind: "invalid", path: b });
  });
  database.close();
  assertComplete(store);
  assert.is(validIn(store).size, 1);
});

test("rows that Nix made meanwhile are added with the next batch, once", ({ store }) => {
  const path = makeTextPath("nix", "", []);
  store.addText("a", "a", []);
  insertAsNix(store, path);
  store.addText("b", "b", []);
  store.addText("c", "c", []);
  assertComplete(store);
  const times = read(store).records.filter((record) => record.kind === "valid" && record.info.path === path);
  assert.is(times.length, 1);
});

test("a store without a journal gets one that has everything", ({ store }) => {
  const a = store.addText("a", "a", []);
  store.addText("b", a, [a]);
  rmSync(fileOf(store));
  store.addText("c", a, [a]);
  assertComplete(store);
  assert.is(validIn(store).size, 3);
});

test("wherever the last write was torn, the next one makes it whole", ({ store }) => {
  const a = store.addText("a", "a", []);
  const before = statSync(fileOf(store)).size;
  store.addText("b", a, [a]);
  const whole = readFileSync(fileOf(store));
  for (let size = before; size < whole.length; size += 23) {
    writeFileSync(fileOf(store), whole);
    truncateSync(fileOf(store), size);
    // A power cut can leave the length without the contents.
    if (size % 2 === 0) appendFileSync(fileOf(store), Buffer.alloc(50));
    store.addText(`c${size}`, a, [a]);
    assertComplete(store);
  }
});

test("a journal whose beginning is damaged still takes records, and says what is lost", ({ store }) => {
  const a = store.addText("a", "a", []);
  const text = readFileSync(fileOf(store), "latin1");
  writeFileSync(fileOf(store), text.replace("-a ", "-b "), "latin1");
  store.addText("b", "b", []);
  assert.is(validIn(store).has(a), false);
  const start = text.indexOf("\n") + 1;
  assert.equal(read(store).reader.damage, [{ offset: start, sizeBytes: text.indexOf("\n", start) + 1 - start }]);
});

test("ids of a commit that failed and was made anew by Nix are not taken for ours", ({ store }) => {
  store.addText("a", "a", []);
  const failed = makeTextPath("failed", "", []);
  const database = new StoreDatabase(makeLayout(store.root), { readOnly: false });
  const commit = (): void =>
    database.transaction(() => {
      database.prepare("pragma defer_foreign_keys = on").run();
      const { lastInsertRowid } = database
        .prepare("insert into ValidPaths (path, hash, registrationTime) values (?, 'sha256:0', 1)")
        .run(failed);
      database.prepare("insert into Refs (referrer, reference) values (?, 12345)").run(lastInsertRowid);
      const narHash = hashBytes("sha256", "");
      database.record({ kind: "valid", info: { path: failed, narHash, narSize: 1, references: [], signatures: [] } });
    });
  assert.throws(commit, (error: Error) => /FOREIGN KEY/.test(error.message));
  database.close();
  insertAsNix(store, makeTextPath("nix", "", []));
  store.addText("b", "b", []);
  const valid = validIn(store);
  // It may name what never became valid; it has to name all that did.
  assert.equal([...valid.keys()].filter((path) => path !== failed).sort(), store.allPaths());
});

test("a journal of mostly old facts is compacted", async ({ store }) => {
  const a = store.addText("a", "a", []);
  const info = { ...(store.queryPathInfo(a) as PathInfo), signatures: [`k:${"x".repeat(100_000)}`] };
  let largest = 0;
  for (let i = 0; i < 15; i++) {
    store.registerOutputs([{ ...info, ultimate: i % 2 === 0 }]);
    largest = Math.max(largest, statSync(fileOf(store)).size);
  }
  assert.ok(largest < 1_400_000, `${largest} bytes`);
  assert.ok(statSync(fileOf(store)).size < largest);
  assertComplete(store);
});

test("a journal of a newer format is left alone", ({ store }) => {
  // crc32 of the text, as gzip computes it.
  writeFileSync(fileOf(store), "7da38d39 ! floe-journal 2\n");
  assert.throws(
    () => store.addText("a", "a", []),
    (error: CodedError) => error.code === "journal.unsupported",
  );
  assert.equal(store.allPaths(), []);
});

test("several processes write one journal", async ({ store }) => {
  const script = `
    import { openLocalStore } from ${JSON.stringify(join(import.meta.dirname, "index.ts"))};
    const store = openLocalStore({ root: ${JSON.stringify(store.root)} });
    for (let i = 0; i < 12; i++) store.addText("t", process.argv[1] + i, []);
    store.close();`;
  const children = ["x", "y", "z"].map((name) =>
    spawn(process.execPath, ["--input-type=module", "-e", script, name], { stdio: "inherit" }),
  );
  const codes = await Promise.all(children.map(async (child) => (await once(child, "close"))[0]));
  assert.equal(codes, [0, 0, 0]);
  assert.is(store.allPaths().length, 36);
  assertComplete(store);
});

test.run();

import fc from "fast-check";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { type CodedError, formatHash, hashBytes } from "../../base/index.ts";
import { closureOf, makeTextPath, type StorePath } from "../../store/index.ts";
import { type LocalStore, openLocalStore } from "./local-store.ts";
import { openTemporaryStore } from "./testing.ts";

const test = suite("WholeStore");
const { store, close } = openTemporaryStore();
const database = new DatabaseSync(join(store.stateDirectory, "db/db.sqlite"));
test.after(() => {
  database.close();
  close();
});

const hasCode = (code: string) => (error: CodedError) => error.code === code;

/** Only rows: nothing here looks at files. Row numbers are in no order of paths. */
function write(references: readonly (readonly number[])[]): StorePath[] {
  database.exec("begin; delete from Refs; delete from ValidPaths");
  const insert = database.prepare(
    "insert into ValidPaths (path, hash, registrationTime, narSize, deriver, sigs) values (?, ?, 1600000000, ?, ?, ?)",
  );
  const made = references.map((_, i) => {
    const path = makeTextPath(`object-${i}`, `${i}`, []);
    const hash = formatHash(hashBytes("sha256", `${i}`), "typed-base16");
    const { lastInsertRowid } = insert.run(path, hash, i, i % 2 === 0 ? null : path, i % 3 === 0 ? "a:b c:d" : null);
    return { path, id: lastInsertRowid };
  });
  const refer = database.prepare("insert or ignore into Refs (referrer, reference) values (?, ?)");
  for (const [i, list] of references.entries())
    for (const j of list) refer.run(made[i]?.id as bigint, made[j]?.id as bigint);
  database.exec("commit");
  return made.map(({ path }) => path);
}

/** Enough objects that the store is read at once: `count` of them, each with up to three references to earlier ones. */
const anyGraph = fc
  .array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 300, maxLength: 400 })
  .map((lists) => lists.map((list, i) => [i, ...list.map((j) => (i === 0 ? 0 : j % i))]));

const one = (from: LocalStore) => (path: StorePath) => from.queryPathInfo(path)?.references ?? [];

test("closure() and its facts are the same for many objects as for each alone", () => {
  fc.assert(
    fc.property(anyGraph, (graph) => {
      const paths = write(graph);
      const starts = [paths.at(-1), paths[7]] as StorePath[];
      const all = closureOf(paths, one(store));
      assert.equal(store.closure(paths), all);
      const [whole, some] = store.closuresWithInfos([paths, starts]);
      assert.equal(
        whole,
        all.map((path) => store.queryPathInfo(path)),
      );
      assert.equal(
        some?.map(({ path }) => path),
        closureOf(starts, one(store)),
      );
      assert.equal(
        store.allPathInfos(),
        store.allPaths().map((path) => store.queryPathInfo(path)),
      );
    }),
    { numRuns: 10 },
  );
});

test("closuresWithInfos() refuses what is not valid and a cycle, however many objects there are", () => {
  const foreign = makeTextPath("foreign", "", []);
  for (const count of [3, 400]) {
    const chain = Array.from({ length: count }, (_, i) => (i === 0 ? [] : [i - 1]));
    const paths = write(chain);
    assert.throws(() => store.closuresWithInfos([paths, [foreign]]), hasCode("store.not-valid"));
    const cycle = write(chain.map((list, i) => (i === 0 ? [count - 1] : list)));
    assert.throws(() => store.closuresWithInfos([cycle]), hasCode("store.reference-cycle"));
    assert.throws(() => store.closure(cycle), hasCode("store.reference-cycle"));
  }
});

test("allPathInfos() of an empty store is empty", () => {
  write([]);
  assert.equal(store.allPathInfos(), []);
  using empty = openLocalStore({ root: "/nonexistent/floe", readOnly: true });
  assert.equal(empty.allPathInfos(), []);
});

test.run();

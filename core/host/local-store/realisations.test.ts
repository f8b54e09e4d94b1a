import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { makeRealisationId, type Realisation } from "../../store/index.ts";
import { openLocalStore } from "./index.ts";
import { openTemporaryStore } from "./testing.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("realisations");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const hasCode = (code: string) => (error: CodedError) => error.code === code;
const id = (byte: number, output = "out") => makeRealisationId(new Uint8Array(32).fill(byte), output);

test("a realisation comes back with what it depends on, to other processes too", ({ store }) => {
  const input = store.addText("input", "x", []);
  const output = store.addText("output", input, [input]);
  const first: Realisation = { id: id(1), outPath: input, signatures: ["k:c2ln"], dependentRealisations: new Map() };
  const dependentRealisations = new Map([[id(1), input]]);
  const second: Realisation = { id: id(2, "dev"), outPath: output, signatures: [], dependentRealisations };
  assert.is(store.hasRealisations, false);
  assert.is(store.queryRealisation(id(1)), undefined);
  const other = openLocalStore({ root: store.root });
  store.addRealisations([first, second]);
  assert.equal(
    [store, other].map((each) => each.queryRealisation(id(2, "dev"))),
    [second, second],
  );
  assert.equal(other.queryRealisation(id(1)), first);
  // What is known stays as it is.
  store.addRealisations([{ ...first, outPath: output }]);
  assert.equal(store.queryRealisation(id(1)), first);
  other.close();
  assert.is(readFileSync(join(store.stateDirectory, "db/ca-schema"), "utf8"), "3");
});

test("a realisation of what is not valid is refused, with all that came with it", ({ store }) => {
  const path = store.addText("valid", "x", []);
  const facts = { signatures: [], dependentRealisations: new Map() };
  const absent = path.replace("valid", "absent") as typeof path;
  assert.throws(
    () =>
      store.addRealisations([
        { id: id(1), outPath: path, ...facts },
        { id: id(2), outPath: absent, ...facts },
      ]),
    hasCode("store.not-valid"),
  );
  assert.is(store.queryRealisation(id(1)), undefined);
});

test("tables of another version are left alone, and those that were lost are made anew", ({ store }) => {
  const file = join(store.stateDirectory, "db/ca-schema");
  writeFileSync(file, "5");
  assert.throws(() => store.queryRealisation(id(1)), hasCode("store.schema-unsupported"));
  // Their tables are not in a database that was recovered from the journal.
  writeFileSync(file, "4");
  assert.is(store.queryRealisation(id(1)), undefined);
  const outPath = store.addText("x", "x", []);
  store.addRealisations([{ id: id(1), outPath, signatures: [], dependentRealisations: new Map() }]);
  assert.is(store.queryRealisation(id(1))?.outPath, outPath);
  assert.is(readFileSync(file, "utf8"), "4");
  assert.ok(existsSync(file));
});

test.run();

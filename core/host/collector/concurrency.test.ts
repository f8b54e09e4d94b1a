import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { collectGarbage } from "./index.ts";
import { checkStore, start } from "./testdata/processes.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("collector, among others");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

/** How long a round takes, in ms. On a busy machine nothing may die in the first: the next is longer. */
const ROUNDS = [2500, 5000, 10_000];

async function deleteAmongImports(root: string, milliseconds: number): Promise<number> {
  const importers = ["1", "2", "3"].map((seed) => start("importer", root, seed, String(milliseconds)));
  const collectors = ["3", "50"].map((batch) => start("collector", root, String(milliseconds), batch));
  for (const { ended } of importers) {
    const { status, text } = await ended;
    assert.is(status, 0, text);
    assert.ok(Number(text) > 0);
  }
  let deleted = 0;
  for (const { ended } of collectors) {
    const { status, text } = await ended;
    assert.is(status, 0, text);
    deleted += Number(text.trim().split("\n").at(-1)?.split(" ")[1]);
  }
  return deleted;
}

test("collections in a loop take nothing from processes that add", async ({ store }) => {
  store.close();
  let deleted = 0;
  for (const milliseconds of ROUNDS) {
    deleted = await deleteAmongImports(store.root, milliseconds);
    if (deleted > 0) break;
  }
  assert.ok(deleted > 0, "nothing was ever dead, so nothing was tried");
  const after = openLocalStore({ root: store.root });
  await checkStore(after, { leftovers: false, contents: true });
  after.close();
  await collectGarbage({ root: store.root });
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

test.run();

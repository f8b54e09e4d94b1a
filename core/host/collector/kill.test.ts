import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { StorePath } from "../../store/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { collectGarbage } from "./index.ts";
import { checkStore, start } from "./testdata/processes.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("collector, killed");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const KILLS = 60;
/** About as many as a collection here tells. */
const KILL_WITHIN_LINES = 16;
const KILL_WITHIN_MS = 10;

test("a collector that is killed at any instant leaves a consistent store", async ({ store, folder }) => {
  // A process that is killed leaves no compiled code for the next one; one that ends does, and halves what a start costs.
  await start("collector", store.root, "0").ended;
  const lanes = await Promise.all([killAgainAndAgain(store.root), killAgainAndAgain(join(folder, "other"))]);
  assert.ok(
    lanes.some((partial) => partial > 0),
    "no collection was killed in the middle of its work",
  );
});

/** @returns how many collections were killed when they had deleted something, but not all. */
async function killAgainAndAgain(root: string): Promise<number> {
  const live: StorePath[] = [];
  let garbage = 0;
  let partial = 0;
  for (let kill = 0; kill < KILLS / 2; kill++) {
    // Several are killed on the same garbage, each somewhere else in its work.
    if (garbage < 50) garbage = await refill(root, kill, live);
    const { child, ended, output } = start("collector", root, "60000", "2");
    // So far into its work, by what it tells, and then a moment more.
    const lines = 1 + Math.floor(Math.random() * KILL_WITHIN_LINES);
    while (output.text.split("\n").length <= lines && child.exitCode === null) await pause(1);
    await pause(Math.random() * KILL_WITHIN_MS);
    child.kill("SIGKILL");
    await ended;
    using reader = openLocalStore({ root, readOnly: true });
    for (const path of live) assert.ok(reader.isValid(path), `${path} is lost`);
    await checkStore(reader, { leftovers: true, contents: false });
    const left = reader.allPaths().length - live.length;
    if (left < garbage && left > 0) partial++;
    garbage = left;
  }
  const report = await collectGarbage({ root });
  assert.equal([...report.live].sort(), [...live].sort());
  using reader = openLocalStore({ root, readOnly: true });
  await checkStore(reader, { leftovers: false, contents: true });
  return partial;
}

/** One more object that a root keeps, and much that none keeps: files, and trees that nobody registered. */
async function refill(root: string, number: number, live: StorePath[]): Promise<number> {
  const store = openLocalStore({ root });
  await store.batch(() => {
    const kept = store.addText(`kept-${number}`, "x".repeat(number), live.slice(-1));
    live.push(kept);
    symlinkSync(kept, join(store.stateDirectory, `gcroots/kept-${number}`));
    let chain: StorePath[] = [kept];
    for (let i = 0; i < 200; i++) chain = [store.addText(`dead-${number}-${i}`, "y".repeat(i), chain)];
  });
  const tree = join(store.realStoreDirectory, `0000000000000000000000000000000${number % 10}-tree`);
  for (let i = 0; i < 50; i++) mkdirSync(join(tree, `${i}/inner`), { recursive: true });
  const garbage = store.allPaths().length - live.length;
  store.close();
  return garbage;
}

test.run();

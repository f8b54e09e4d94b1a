import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type StorePath, storePathBaseName } from "../../store/index.ts";
import { hashTree } from "../files/index.ts";
import { type LocalStore, openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { collectGarbage } from "./index.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("collector, among others");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const RUN_MS = 2500;
const KILLS = 60;
/** About as many as a collection here tells. */
const KILL_WITHIN_LINES = 16;
const KILL_WITHIN_MS = 10;

const program = (name: string): string => join(import.meta.dirname, "testdata", name);

function start(name: string, ...words: string[]) {
  const child = spawn(process.execPath, [program(name), ...words], {
    // Each needs the same modules compiled.
    env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "floe-collector-compiled") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { text: "" };
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output.text += text;
    });
  }
  const ended = new Promise<{ status: number | null; text: string }>((resolve) =>
    child.on("close", (status) => resolve({ status, text: output.text })),
  );
  return { child, output, ended };
}

/** Every valid object is there and is what was recorded; unless `leftovers`, nothing else is in the store directory. */
async function checkStore(store: LocalStore, { leftovers }: { readonly leftovers: boolean }): Promise<void> {
  const valid = store.allPaths();
  for (const path of valid) {
    const info = store.queryPathInfo(path);
    assert.ok(existsSync(store.realPath(path)), `${path} is valid but not there`);
    assert.equal((await hashTree(store.realPath(path))).narHash, info?.narHash, path);
  }
  store.closure(valid);
  if (leftovers) return;
  const names = readdirSync(store.realStoreDirectory).filter((name) => name !== ".links");
  assert.equal(names.sort(), valid.map(storePathBaseName).sort());
}

test("collections in a loop take nothing from processes that add", async ({ store }) => {
  store.close();
  const importers = ["1", "2", "3"].map((seed) => start("importer.ts", store.root, seed, String(RUN_MS)));
  const collectors = ["3", "50"].map((batch) => start("collector.ts", store.root, String(RUN_MS), batch));
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
  assert.ok(deleted > 0, "nothing was ever dead, so nothing was tried");
  const after = openLocalStore({ root: store.root });
  await checkStore(after, { leftovers: false });
  after.close();
  await collectGarbage({ root: store.root });
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

test("a collector that is killed at any instant leaves a consistent store", async ({ store, folder }) => {
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
    const { child, ended, output } = start("collector.ts", root, "60000", "2");
    // So far into its work, by what it tells, and then a moment more.
    const lines = 1 + Math.floor(Math.random() * KILL_WITHIN_LINES);
    while (output.text.split("\n").length <= lines && child.exitCode === null) await pause(1);
    await pause(Math.random() * KILL_WITHIN_MS);
    child.kill("SIGKILL");
    await ended;
    using reader = openLocalStore({ root, readOnly: true });
    for (const path of live) assert.ok(reader.isValid(path), `${path} is lost`);
    await checkStore(reader, { leftovers: true });
    const left = reader.allPaths().length - live.length;
    if (left < garbage && left > 0) partial++;
    garbage = left;
  }
  const report = await collectGarbage({ root });
  assert.equal([...report.live].sort(), [...live].sort());
  using reader = openLocalStore({ root, readOnly: true });
  await checkStore(reader, { leftovers: false });
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
    for (let i = 0; i < 300; i++) chain = [store.addText(`dead-${number}-${i}`, "y".repeat(i), chain)];
  });
  const tree = join(store.realStoreDirectory, `0000000000000000000000000000000${number % 10}-tree`);
  for (let i = 0; i < 50; i++) mkdirSync(join(tree, `${i}/inner`), { recursive: true });
  const garbage = store.allPaths().length - live.length;
  store.close();
  return garbage;
}

test.run();

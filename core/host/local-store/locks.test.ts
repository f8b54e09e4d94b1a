import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { makeTextPath } from "../../store/index.ts";
import { StoreDatabase } from "./database.ts";
import { lockFileSync, makeLayout } from "./index.ts";
import { TempRoots } from "./temp-roots.ts";
import { openTemporaryStore } from "./testing.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("locks and temporary roots");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const A = makeTextPath("a", "", []);
const B = makeTextPath("b", "", []);

test("lockPaths() gives all locks or none, and waits when asked to", async ({ store }) => {
  const first = await store.lockPaths([B, A], { wait: false });
  assert.is(await store.lockPaths([A], { wait: false }), undefined);
  const order: string[] = [];
  const second = store.lockPaths([A]).then((locks) => {
    order.push("second has it");
    return locks;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  order.push("first gives up");
  first?.release();
  first?.release();
  (await second)?.release();
  assert.equal(order, ["first gives up", "second has it"]);
  assert.equal(readdirSync(store.realStoreDirectory), []);
});

test("a lock file that was taken away is no lock, also when it could not be marked", async ({ store }) => {
  const file = `${store.realPath(A)}.lock`;
  const stale = openSync(file, "w");
  lockFileSync(stale, "exclusive", { wait: true });
  const waiting = store.lockPaths([A]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  // As by a full disk: it is gone, but holds no mark.
  rmSync(file);
  closeSync(stale);
  const locks = await waiting;
  assert.ok(existsSync(file));
  assert.is(await store.lockPaths([A], { wait: false }), undefined);
  locks?.release();
});

test("a transaction that SQLite itself gave up is told by its own error", ({ store }) => {
  const database = new StoreDatabase(makeLayout(store.root), { readOnly: false });
  const run = (): void => {
    database.prepare("rollback").run();
    throw new Error("database or disk is full");
  };
  assert.throws(() => database.transaction(run), /database or disk is full/);
  database.close();
});

test("a lock of one path is given back when the other is taken", async ({ store }) => {
  const held = await store.lockPaths([B]);
  assert.is(await store.lockPaths([A, B], { wait: false }), undefined);
  const free = await store.lockPaths([A], { wait: false });
  assert.ok(free !== undefined);
  free?.release();
  held?.release();
});

test("a wait for locks can be given up", async ({ store }) => {
  const held = await store.lockPaths([A]);
  const abort = new AbortController();
  const waiting = store.lockPaths([A], { signal: abort.signal });
  setTimeout(() => abort.abort(), 30);
  assert.is(
    await waiting.then(
      () => "locked",
      (error: Error) => error.name,
    ),
    "AbortError",
  );
  held?.release();
});

test("without the program flock the error says so", ({ folder }) => {
  const path = process.env["PATH"];
  const fd = openSync(join(folder, "x"), "w");
  try {
    process.env["PATH"] = folder;
    assert.throws(
      () => lockFileSync(fd, "shared", { wait: true }),
      (error: CodedError) => error.code === "store.no-flock",
    );
  } finally {
    process.env["PATH"] = path;
    closeSync(fd);
  }
});

test("temporary roots are in the file of the process, locked, and gone when the store is closed", ({ store }) => {
  store.addTempRoots([A, B, A]);
  store.addTempRoot(A);
  const file = join(store.stateDirectory, "temproots", String(process.pid));
  assert.is(readFileSync(file, "utf8"), `${A}\0${B}\0`);
  assert.is(spawnSync("flock", ["-n", file, "true"]).status, 1);
  store.close();
  assert.is(existsSync(file), false);
});

test("prepareTempRoots() takes both locks, and is silent where it cannot", async ({ store }) => {
  const path = process.env["PATH"];
  process.env["PATH"] = "/nowhere";
  try {
    store.prepareTempRoots();
    assert.throws(
      () => store.addTempRoot(A),
      (error: CodedError) => error.code === "store.no-flock",
    );
  } finally {
    process.env["PATH"] = path;
  }
  store.prepareTempRoots();
  const file = join(store.stateDirectory, "temproots", String(process.pid));
  assert.is(readFileSync(file, "utf8"), "");
  for (const [mode, locked] of [
    ["-x", file],
    ["-x", join(store.stateDirectory, "gc.lock")],
  ] as const)
    assert.is(spawnSync("flock", ["-n", mode, locked, "true"]).status, 1, locked);
  store.addTempRoot(A);
  assert.is(readFileSync(file, "utf8"), `${A}\0`);
});

test("a collection may begin soon after roots were added", async ({ store }) => {
  store.addTempRoot(A);
  const lock = join(store.stateDirectory, "gc.lock");
  assert.is(spawnSync("flock", ["-n", "-x", lock, "true"]).status, 1);
  const collector = spawn("flock", ["-w", "5", "-x", lock, "true"]);
  assert.is(await new Promise((resolve) => collector.once("close", resolve)), 0);
});

test("a running collection is told of new roots before they are relied on", async ({ store }) => {
  const directory = store.stateDirectory;
  const script = `
    const { mkdirSync, appendFileSync } = require("node:fs");
    mkdirSync(process.argv[1] + "/gc-socket");
    require("node:net").createServer((client) => client.on("data", (data) => {
      appendFileSync(process.argv[1] + "/told", data);
      client.write("1".repeat(data.toString().split("\\n").length - 1));
    })).listen(process.argv[1] + "/gc-socket/socket", () => console.log("ready"));`;
  const lock = openSync(join(directory, "gc.lock"), "w");
  lockFileSync(lock, "exclusive", { wait: true });
  const collector = spawn(process.execPath, ["-e", script, directory], { stdio: ["ignore", "pipe", "inherit"] });
  const roots = new TempRoots(directory);
  try {
    await new Promise((resolve) => collector.stdout.once("data", resolve));
    roots.add([A, B]);
    assert.is(readFileSync(join(directory, "told"), "utf8"), `${A}\n${B}\n`);
    assert.is(readFileSync(join(directory, "temproots", String(process.pid)), "utf8"), `${A}\0${B}\0`);
  } finally {
    roots.close();
    collector.kill();
    closeSync(lock);
  }
});

test("a collection that never answers is an error in the end", ({ store }) => {
  const lock = openSync(join(store.stateDirectory, "gc.lock"), "w");
  lockFileSync(lock, "exclusive", { wait: true });
  const roots = new TempRoots(store.stateDirectory, { patienceMs: 10 });
  assert.throws(
    () => roots.add([A]),
    (error: CodedError) => error.code === "store.collector-silent",
  );
  roots.close();
  closeSync(lock);
});

test.run();

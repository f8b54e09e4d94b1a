import { spawn, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeTextPath, type StorePath } from "../../store/index.ts";
import { openBuildBench } from "../builder/testdata/build-bench.ts";
import { openLocalStore } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { collectGarbage, type CollectOptions } from "./index.ts";

/** Real Nix works on a store while we collect it. */
const test = suite<ReturnType<typeof openTemporaryStore>>("collector beside real Nix");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const present = spawnSync("nix-instantiate", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-instantiate is not on the PATH, so real Nix cannot be asked");
const bench = present ? await openBuildBench() : "real Nix is not here";
const builds = typeof bench === "string" ? test.skip : test;
if (typeof bench === "string") console.log(`skipped: builds of real Nix: ${bench}`);
else test.after(() => bench.close());

const env = { ...process.env, NIX_REMOTE: "" };

/** An evaluation of Nix that has made a text object, and relies on it until it is told to go on. */
function evaluate(root: string, folder: string, name: string) {
  const fifo = join(folder, `${name}.fifo`);
  assert.is(spawnSync("mkfifo", [fifo]).status, 0);
  const expression = `let text = builtins.toFile "${name}" "x"; in builtins.seq text (builtins.readFile ${fifo} + text)`;
  const child = spawn("nix-instantiate", ["--store", root, "--eval", "--read-write-mode", "-E", expression], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data));
  const ended = new Promise<string>((resolve) => child.on("close", (status) => resolve(`${output}${status}`)));
  return { path: makeTextPath(name, "x", []), ended, goOn: () => writeFileSync(fifo, "") };
}

async function isThere(root: string, path: StorePath): Promise<void> {
  for (const ends = performance.now() + 20_000; ; ) {
    assert.ok(performance.now() < ends, `${path} is not valid`);
    using store = openLocalStore({ root, readOnly: true });
    if (store.isValid(path)) return;
    await pause(10);
  }
}

referee("what a process of Nix relies on stays", async ({ store, folder }) => {
  const garbage = store.addText("garbage", "x", []);
  store.close();
  const { path, ended, goOn } = evaluate(store.root, folder, "held");
  await isThere(store.root, path);
  const report = await collectGarbage({ root: store.root });
  assert.equal([report.live, report.dead], [[path], [garbage]]);
  assert.ok(existsSync(store.realPath(path)));
  goOn();
  assert.match(await ended, `"${path}"\n0`);
  assert.equal((await collectGarbage({ root: store.root })).dead, [path]);
});

referee("Nix tells our collection what it relies on, and goes on", async ({ store, folder }) => {
  await store.batch(() => {
    for (let i = 0; i < 400; i++) store.addText(`garbage-${i}`, "x", []);
  });
  store.close();
  let evaluation: ReturnType<typeof evaluate> | undefined;
  let deletedThen = 0;
  const events: CollectOptions["events"] = (event) => {
    if (event.kind === "deleted" && evaluation === undefined) evaluation = evaluate(store.root, folder, "during");
    if (event.kind === "deleted") deletedThen = event.count;
  };
  // Slow enough for Nix to start meanwhile.
  const report = await collectGarbage({ root: store.root, batchSize: 1, events });
  assert.ok(deletedThen > 0 && evaluation !== undefined);
  await isThere(store.root, evaluation.path);
  assert.is(report.deleted, 400);
  evaluation.goOn();
  assert.match(await evaluation.ended, `"${evaluation.path}"\n0`);
  spawnSync("nix-store", ["--store", store.root, "--verify", "--check-contents"], { env });
});

builds("a build of Nix goes on while we collect", async () => {
  if (typeof bench === "string") return;
  const { drvPath, outPath } = await bench.script("sleep 2; echo done > $out", { name: "slow" });
  const { root } = bench.store;
  bench.store.close();
  const settings = { sandbox: "true", substitute: "false", "build-users-group": "" };
  const options = ["--no-out-link", ...Object.entries(settings).flatMap(([name, value]) => ["--option", name, value])];
  const child = spawn("nix-build", [drvPath, "--store", root, ...options], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  let running = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data: Buffer) => {
      output += data;
      running ||= output.includes("building '");
    });
  }
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  while (!running && child.exitCode === null) await pause(10);
  const report = await collectGarbage({ root });
  assert.ok(report.live.includes(drvPath), output);
  assert.is(await ended, 0, output);
  using store = openLocalStore({ root, readOnly: true });
  assert.ok(store.isValid(outPath));
  assert.is(spawnSync("nix-store", ["--store", root, "--verify", "--check-contents"], { env }).status, 0);
});

test.run();

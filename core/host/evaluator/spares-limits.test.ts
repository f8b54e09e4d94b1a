/** When a process that stands ready ends by itself, or is not left at all. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../process/find-program.ts";
import { offerEarlyStart } from "./early-start.ts";
import { engineBundle } from "./engine.ts";
import { ask, flakeIn, flakeText, makeFolder } from "./testing.ts";
import { WatchedStart } from "./testing-early-start.ts";

const bwrap = findProgram("bwrap");
const canBe = bwrap !== undefined && engineBundle() !== undefined;
if (!canBe)
  console.log("skipped: bubblewrap is not installed, or the bundle is older than its sources, see `npm run bundle`");
const spareTest = canBe ? test : test.skip;

/** Longer than it takes a process that waits until it looks whether there is a use for it. */
const LOOK_MS = 6000;

/** A command that asked a flake, and may leave a process for the next one. */
async function askOf(cache: string, flake: string): Promise<WatchedStart> {
  const early = new WatchedStart(cache, flake, 60);
  offerEarlyStart(early);
  assert.is((await ask(flakeIn(flake), "a")).value, 1);
  return early;
}

function makeFlake(): string {
  return makeFolder({ "flake.config.ts": flakeText("{ a: 1 }") });
}

/** Folders of processes that can be reached, or could. */
function namesIn(cache: string): string[] {
  try {
    return readdirSync(`${cache}/spares`);
  } catch {
    return [];
  }
}

function countReady(cache: string): number {
  return namesIn(cache).filter((name) => existsSync(`${cache}/spares/${name}/in`)).length;
}

async function until(what: string, isSo: () => boolean, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !isSo(); await sleep(20)) {
    if (Date.now() > end) throw new Error(`After ${seconds} seconds it is still not so: ${what}`);
  }
}

spareTest("a third process that two commands leave at once ends with the next that is left", async () => {
  const cache = makeFolder({});
  const commands: WatchedStart[] = [];
  for (let i = 0; i < 4; i++) commands.push(await askOf(cache, makeFlake()));
  const [first, second, third, fourth] = commands as [WatchedStart, WatchedStart, WatchedStart, WatchedStart];
  first.leave();
  await until("the first stands ready", () => countReady(cache) === 1);
  const settled = () =>
    until(
      "those that are made stand ready",
      () => countReady(cache) >= 2 && countReady(cache) === namesIn(cache).length,
    );
  // The later one does not see what the other is making, unless that is quick.
  second.leave();
  third.leave();
  await settled();
  assert.ok(countReady(cache) <= 3);
  // What has just begun cannot be had yet, so it may be left to the one after the next.
  for (let next: WatchedStart = fourth, tries = 0; ; next = await askOf(cache, makeFlake())) {
    next.leave();
    await settled();
    if (countReady(cache) === 2) break;
    assert.ok(++tries < 20, `${tries} commands later there are ${countReady(cache)}`);
  }
  rmSync(`${cache}/spares`, { recursive: true });
});

spareTest("a process that stands ready ends when the folder of its flake is gone", async () => {
  const [cache, flake] = [makeFolder({}), makeFlake()];
  (await askOf(cache, flake)).leave();
  await until("it stands ready", () => countReady(cache) === 1);
  rmSync(flake, { recursive: true });
  await until("it has ended", () => namesIn(cache).length === 0);
});

spareTest("a process stands ready only where the machine has memory for it", async () => {
  const [cache, flake] = [makeFolder({}), makeFlake()];
  const meminfo = `${makeFolder({})}/meminfo`;
  const has = (mebibytes: number): void => writeFileSync(meminfo, `MemAvailable: ${1024 * mebibytes} kB\n`);
  /** A command on a machine with so much memory. */
  const command = async (mebibytes: number): Promise<void> => {
    has(mebibytes);
    const [early, testing] = ["./testing-early-start.ts", "./testing.ts"].map((file) => import.meta.resolve(file));
    const code = `
      const { WatchedStart } = await import(${JSON.stringify(early)});
      const { offerEarlyStart } = await import(${JSON.stringify(import.meta.resolve("./early-start.ts"))});
      const { ask, flakeIn } = await import(${JSON.stringify(testing)});
      const [cache, flake] = process.argv.slice(1);
      const early = new WatchedStart(cache, flake, 60);
      offerEarlyStart(early);
      await ask(flakeIn(flake), "a");
      early.leave();`;
    const words = ["--dev-bind", "/", "/", "--bind", meminfo, "/proc/meminfo", process.execPath];
    const node = ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", code, cache, flake];
    const child = spawn(bwrap as string, [...words, ...node], { stdio: ["ignore", "inherit", "inherit"] });
    assert.equal(await once(child, "exit"), [0, null]);
  };
  await command(1023);
  // Long enough for one to have a folder.
  await sleep(1000);
  assert.equal(namesIn(cache), []);
  await command(1024);
  await until("it stands ready", () => countReady(cache) === 1);
  has(512);
  await sleep(LOOK_MS);
  assert.is(countReady(cache), 1);
  has(511);
  await until("it has ended", () => namesIn(cache).length === 0);
});

test.run();

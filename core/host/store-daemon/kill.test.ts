import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes, utf8 } from "../../base/index.ts";
import {
  type ArrivingObject,
  dumpFileNar,
  formatContentAddress,
  makeTextPath,
  type StorePath,
} from "../../store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { verifyStore } from "../maintenance/index.ts";
import { DaemonStore, dialSocket } from "../remote-store/index.ts";
import { daemonSocket } from "./index.ts";

/** A daemon, or the process that serves a client for it, killed in the middle of an import. */
const test = suite<ReturnType<typeof openTemporaryStore>>("a daemon that is killed");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const SEED = Number(process.env["FLOE_TEST_SEED"] ?? Date.now() % 1_000_000);
/** One for each thing to kill; more with FLOE_TEST_KILLS. */
const ROUNDS = Number(process.env["FLOE_TEST_KILLS"] ?? 3);
const OBJECTS = 100;
const LARGEST_BYTES = 60_000;

async function start(root: string): Promise<ChildProcess> {
  const daemon = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "testdata/daemon.ts"), root],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  await new Promise<void>((resolve, reject) => {
    daemon.stdout?.once("data", () => resolve());
    daemon.once("close", () => reject(new Error("the daemon ended")));
  });
  return daemon;
}

/** Objects of one round, each referring to the one before. */
function chain(round: number): { info: ArrivingObject["info"]; nar: Uint8Array }[] {
  const made: { info: ArrivingObject["info"]; nar: Uint8Array }[] = [];
  for (let number = 0; number < OBJECTS; number++) {
    const before = made.at(-1)?.info.path;
    const references = before === undefined ? [] : [before];
    const contents = `${round} ${number} ${before} ${"x".repeat((number * 7919) % LARGEST_BYTES)}`;
    const nar = dumpFileNar(utf8(contents));
    made.push({
      nar,
      info: {
        path: makeTextPath(`object-${number}`, contents, references),
        narHash: hashBytes("sha256", nar),
        narSize: nar.length,
        references,
        signatures: [],
        ca: formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) }),
      },
    });
  }
  return made;
}

async function* stream(objects: ReturnType<typeof chain>): AsyncGenerator<ArrivingObject> {
  for (const { info, nar } of objects) {
    await pause(1);
    yield {
      info,
      nar: (async function* () {
        yield nar;
      })(),
    };
  }
}

/** Processes that a process started. */
function childrenOf(pid: number): number[] {
  return readdirSync("/proc").flatMap((name) => {
    try {
      const stat = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/stat`, "latin1") : "";
      return stat.slice(stat.lastIndexOf(")")).split(" ")[2] === String(pid) ? [Number(name)] : [];
    } catch {
      // It has ended.
      return [];
    }
  });
}

async function gone(pids: readonly number[]): Promise<void> {
  for (let waited = 0; pids.some((pid) => existsSync(`/proc/${pid}`)); waited += 20) {
    assert.ok(waited < 10_000, `still there: ${pids.join(", ")}`);
    await pause(20);
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It was faster.
  }
}

test("leaves nothing half registered and no lock, and the next one goes on", async ({ store }) => {
  console.log(`seed ${SEED}`);
  let random = SEED;
  const next = (below: number): number => {
    random = (random * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((random / 2_147_483_648) * below);
  };
  const reported: StorePath[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const daemon = await start(store.root);
    const pid = daemon.pid as number;
    const objects = chain(round);
    const paths = objects.map(({ info }) => info.path);
    const remote = new DaemonStore({ where: '"killed"', dial: dialSocket(daemonSocket(store.stateDirectory)) });
    await remote.ping();
    const workers = childrenOf(pid);
    const what = (["worker", "daemon", "both"] as const)[round % 3];
    const importing = remote.addMany(OBJECTS, stream(objects)).then(
      () => true,
      () => false,
    );
    await pause(next(400));
    if (what !== "worker") kill(pid);
    if (what !== "daemon") workers.forEach(kill);
    // A process that serves a client does so to the end, also without the daemon.
    const isDone = await importing;
    if (isDone) reported.push(...paths);
    remote.close();
    kill(pid);
    await gone([pid]);
    workers.forEach(kill);
    await gone(workers);
    const { faults } = await verifyStore(store, { contents: true });
    assert.equal(faults, [], `round ${round}, ${what} was killed`);
    for (const path of reported) assert.ok(store.isValid(path), `round ${round}: ${path} was told as done`);
    const valid = new Set(store.allPaths());
    for (const { info } of objects)
      if (valid.has(info.path)) for (const reference of info.references) assert.ok(valid.has(reference));
    const locks = await store.lockPaths(paths, { wait: false });
    assert.ok(locks !== undefined, `round ${round}: an object is still locked`);
    locks?.release();
    await store.importInOrder(stream(objects.slice(0, 20)));
    for (const path of paths.slice(0, 20)) assert.ok(store.isValid(path));
  }
});

test.run();

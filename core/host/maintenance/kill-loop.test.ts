import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findBusybox } from "../builder/testdata/busybox.ts";
import { collectGarbage } from "../collector/index.ts";
import { removeTree } from "../files/index.ts";
import type { StorePath } from "../../store/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { findSandboxSupport } from "../sandbox/index.ts";
import { recoverStore, settle, verifyStore } from "./index.ts";
import { bundlePrograms } from "../../../tools/cli/bundle-program.ts";
import { Ledger } from "./testing-ledger.ts";

/** Kills in all; more with FLOE_TEST_KILLS. */
const KILLS = Number(process.env["FLOE_TEST_KILLS"] ?? 500);
const SEED = Number(process.env["FLOE_TEST_SEED"] ?? Date.now() % 1_000_000);
/** Stores, each with workers of its own: who waits for a lock of one leaves the processors to the other. */
const STORES = 2;
const WORKERS = 3;
/** All stop and the store is looked at, so many times. */
const LOOKS = 5;
/** Real Nix looks at every second of them. */
const nixPresent = spawnSync("nix-store", ["--version"]).status === 0;
if (!nixPresent) console.log("skipped in part: nix-store is not on the PATH, so real Nix cannot be asked");

// In memory where that is possible: a killed process loses nothing that it gave to the kernel, so waiting for a disk would only
// make the kills rarer. What a power cut loses is the story of vm-tests/store-power-cut.ts.
const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "floe-kills-"));
const roots = Array.from({ length: STORES }, (_, i) => join(folder, `root-${i}`));
const script = join(folder, "work.mjs");
const ENVIRONMENT = { ...process.env, NODE_COMPILE_CACHE: join(folder, "compiled") };
/** With the program that setup compiled to isolate builds, as a bundle elsewhere does not find it by itself. */
const NATIVE = { ...ENVIRONMENT, PATH: `${join(import.meta.dirname, "../../../dist")}:${process.env["PATH"]}` };
test.after(() => removeTree(folder));

let state = SEED + 1;
function random(below: number): number {
  state = (state * 48_271) % 2_147_483_647;
  return state % below;
}

/** Folder with a program to build with, where there is a sandbox. */
async function findTools(): Promise<string | undefined> {
  const support = findSandboxSupport();
  const busybox = support.kind === "available" ? await findBusybox() : `no sandbox on this machine (${support.kind})`;
  if (typeof busybox === "string") {
    console.log(`skipped in part: ${busybox}, so what is built is fetched`);
    return undefined;
  }
  const tools = join(folder, "tools");
  mkdirSync(tools);
  copyFileSync(busybox.program, join(tools, "busybox"));
  chmodSync(join(tools, "busybox"), 0o755);
  return tools;
}

/** One worker after another in one slot, each killed at a random instant. */
class Slot {
  readonly root: string;
  readonly ledger: Ledger;
  readonly #tools: string | undefined;
  #words = "";
  /** How long one step takes on this machine, about. */
  #stepMs = 100;
  #lastLine = 0;

  constructor(root: string, name: string, tools: string | undefined) {
    this.root = root;
    this.ledger = new Ledger(name);
    this.#tools = tools;
  }

  /** Start a worker, let it work for a moment and kill it. */
  async kill(): Promise<void> {
    const words = [
      script,
      this.root,
      this.ledger.slot,
      String(random(1_000_000)),
      ...(this.#tools === undefined ? [] : [this.#tools]),
    ];
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...words], {
      stdio: ["ignore", "pipe", "pipe"],
      // Builds of one slot are isolated by bubblewrap.
      env: this.ledger.slot === "0" ? ENVIRONMENT : NATIVE,
    });
    const ended = this.#follow(child);
    // Most of the time in its first step or the one after it, which begins with what the first one left open; sometimes while it starts.
    if (random(20) > 0) await Promise.race([this.#hear(child), ended]);
    if (random(3) === 0) await Promise.race([this.#hear(child), pause(10_000), ended]);
    await Promise.race([pause(random(1.5 * this.#stepMs)), ended]);
    child.kill("SIGKILL");
    const { code, complaints } = await ended;
    assert.is(code, null, `a worker ended by itself: ${complaints}`);
    // An unfinished line was not told.
    this.#words = "";
  }

  #take(line: string): void {
    this.ledger.take(line);
    const now = performance.now();
    if (line.startsWith("done link")) this.#stepMs = Math.ceil(0.9 * this.#stepMs + 0.1 * (now - this.#lastLine));
    this.#lastLine = now;
  }

  #hear(child: ChildProcess): Promise<void> {
    return new Promise((resolve) => child.stdout?.once("data", () => resolve()));
  }

  #follow(child: ChildProcess): Promise<{ code: number | null; complaints: string }> {
    let complaints = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (this.#words + text).split("\n");
      this.#words = lines.pop() as string;
      for (const line of lines) this.#take(line);
    });
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      complaints += text;
    });
    return new Promise((resolve) => child.on("close", (code) => resolve({ code, complaints })));
  }
}

async function look(root: string, slots: readonly Slot[], { nix }: { readonly nix: boolean }): Promise<void> {
  using store = openLocalStore({ root });
  const findings = await verifyStore(store, { contents: true, threads: 1 });
  assert.equal(findings.faults, [], `seed ${SEED}`);
  assert.equal(findings.gone, [], `seed ${SEED}`);
  assert.equal(findings.unhashed, []);
  // A directory whose files were just being joined may be open.
  settle(store, findings);
  for (const { ledger } of slots) {
    assert.equal(ledger.check(store), [], `seed ${SEED}`);
    ledger.settle(store);
  }
  if (!nix || !nixPresent) return;
  const { status, stderr } = spawnSync("nix-store", ["--store", root, "--verify", "--check-contents"], {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "" },
  });
  assert.is(status, 0, stderr);
  assert.not.match(stderr, /modified|missing|disappeared|error/);
}

function allPaths(root: string): StorePath[] {
  using store = openLocalStore({ root, readOnly: true });
  return store.allPaths();
}

test(`${KILLS} kills at random instants leave the store whole and lose nothing that was told`, async () => {
  console.log(`seed ${SEED}`);
  await bundlePrograms([join(import.meta.dirname, "testdata/work.ts")], folder);
  // A process that is killed leaves no compiled code for the next one; one that ends does, and halves what a start costs.
  spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", script], { env: ENVIRONMENT });
  const tools = await findTools();
  const slots = roots.flatMap((root) => Array.from({ length: WORKERS }, (_, i) => new Slot(root, String(i), tools)));
  let kills = 0;
  for (let round = 1; round <= LOOKS; round++) {
    const until = Math.ceil((KILLS * round) / LOOKS);
    await Promise.all(
      slots.map(async (slot) => {
        while (kills < until) {
          kills += 1;
          await slot.kill();
        }
      }),
    );
    for (const root of roots) await look(root, slotsOf(slots, root), { nix: round % 2 === 1 });
  }
  const done = slots.reduce((sum, { ledger }) => sum + ledger.done, 0);
  console.log(`${kills} kills, ${done} things done between them`);
  assert.ok(kills >= KILLS && done > KILLS / 5, `only ${done} things were done`);

  for (const root of roots) await lookAtTheEnd(root, slotsOf(slots, root));
});

function slotsOf(slots: readonly Slot[], root: string): Slot[] {
  return slots.filter((slot) => slot.root === root);
}

async function lookAtTheEnd(root: string, slots: readonly Slot[]): Promise<void> {
  // The journal knows as much as the database does.
  const known = allPaths(root);
  rmSync(join(root, "nix/var/nix/db/db.sqlite"));
  const report = await recoverStore({ root });
  assert.equal([report.lost, report.journalDamageBytes], [[], 0], `seed ${SEED}`);
  assert.ok(report.recovered.journal >= known.length);
  // What a worker had written and not yet registered may certify itself.
  const recovered = new Set(allPaths(root));
  assert.equal(
    known.filter((path) => !recovered.has(path)),
    [],
  );
  await look(root, slots, { nix: true });
  // Nothing is in the way of a collection, and it leaves nothing half done.
  await collectGarbage({ root });
  const left = readdirSync(join(root, "nix/store")).filter((name) => name !== ".links");
  using store = openLocalStore({ root, readOnly: true });
  assert.equal(
    left.sort(),
    store.allPaths().map((path) => path.slice("/nix/store/".length)),
  );
  assert.ok(readFileSync(join(root, "nix/var/nix/db/schema"), "utf8") === "10");
}

test.run();

import {
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../process/find-program.ts";
import { EarlyStart } from "./early-start.ts";
import type { RunningEvaluation } from "./spawn-evaluation.ts";
import { makeFolder } from "./testing.ts";
import { beginReady, watchedFlake } from "./testing-early-start.ts";

async function makeWorld() {
  const { folder, make, askWith } = watchedFlake();
  const first = make();
  assert.is(first.begin(), undefined);
  assert.is(await askWith(first, "a"), 1);
  return { folder, make, askWith };
}

const hasEnded = (child: RunningEvaluation | undefined): Promise<void> =>
  new Promise((resolve) => {
    if (child === undefined || child.hasEnded()) return resolve();
    child.hold(true);
    child.onEnd(() => resolve());
    child.output.resume();
    child.errors.resume();
  });

test("EarlyStart begins with the question of the last time, and the evaluation takes its answer", async () => {
  const { folder, make, askWith } = await makeWorld();
  writeFileSync(`${folder}/flake/a.ts`, "export const a = 2;\n");
  const early = make();
  const child = early.begin();
  assert.ok(child);
  assert.is(await askWith(early, "a"), 2);
  assert.is(early.taken, child);
  assert.is(readdirSync(`${folder}/questions`).length, 1);
});

test("EarlyStart ends what was begun for another question, and begins with that one the next time", async () => {
  const { make, askWith } = await makeWorld();
  const early = make();
  const child = early.begin();
  assert.is(await askWith(early, "b"), 3);
  assert.is(early.taken, undefined);
  await hasEnded(child);
  const next = make();
  next.begin();
  assert.is(await askWith(next, "b"), 3);
  assert.ok(next.taken);
});

test("EarlyStart.end() ends what nobody needs", async () => {
  const { make } = await makeWorld();
  const early = make();
  const child = early.begin();
  assert.ok(child);
  early.end();
  await hasEnded(child);
});

const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.log("skipped: only root gives files away");

(isRoot ? test : test.skip)("EarlyStart runs no words that another user wrote", async () => {
  const { folder, make } = await makeWorld();
  const file = `${folder}/questions/${readdirSync(`${folder}/questions`)[0]}`;
  chownSync(file, 12345, 12345);
  assert.is(make().begin(), undefined);
});

test("EarlyStart does without a file that is damaged or cut short", async () => {
  const { folder, make, askWith } = await makeWorld();
  const file = `${folder}/questions/${readdirSync(`${folder}/questions`)[0]}`;
  const text = readFileSync(file, "utf8");
  for (const damaged of ["", text.slice(0, -20), text.replace("ulimit", "ulimiT"), "{}\n{}\n0\n"]) {
    writeFileSync(file, damaged);
    assert.is(make().begin(), undefined, damaged.slice(0, 20));
  }
  const early = make();
  assert.is(await askWith(early, "a"), 1);
  assert.is(readFileSync(file, "utf8"), text);
});

const ownChildren = (): string[] =>
  readFileSync(`/proc/self/task/${process.pid}/children`, "latin1")
    .trim()
    .split(" ")
    .filter((pid) => pid !== "");
const hasSandbox = findProgram("bwrap") !== undefined;
if (!hasSandbox) console.log("skipped: bubblewrap is not installed");

(hasSandbox ? test : test.skip)("evaluate() asks again when what was begun could not start", async () => {
  const { folder, make, askWith } = await makeWorld();
  renameSync(`${folder}/flake`, `${folder}/away`);
  const early = make();
  const child = early.begin();
  assert.ok(child);
  // Nobody hears of its end meanwhile: who has heard of it does not take it.
  while (!ownChildren().some((pid) => /\) Z /.test(readFileSync(`/proc/${pid}/stat`, "latin1"))))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  renameSync(`${folder}/away`, `${folder}/flake`);
  assert.is(await askWith(early, "a"), 1);
  assert.ok(early.taken);
});

(hasSandbox ? test : test.skip)(
  "EarlyStart gives nobody a process that has ended: what it said went by unheard",
  async () => {
    const { folder, make, askWith } = await makeWorld();
    renameSync(`${folder}/flake`, `${folder}/away`);
    const early = make();
    const child = early.begin();
    assert.ok(child);
    await hasEnded(child);
    renameSync(`${folder}/away`, `${folder}/flake`);
    assert.is(await askWith(early, "a"), 1);
    assert.is(early.taken, undefined);
  },
);

/** A process that is being started may make its own folder meanwhile. */
const removeSpares = (folder: string): void =>
  rmSync(`${folder}/spares`, { recursive: true, force: true, maxRetries: 10, retryDelay: 20 });

test("EarlyStart leaves a process by what is said for the first time, and for a command that evaluates again in ten minutes", () => {
  const folder = makeFolder({ "flake/flake.config.ts": "" });
  const asked = { words: ["/bin/true"], modules: undefined, flake: `${folder}/flake/flake.config.ts` };
  const question = `${folder}/questions`;
  const leavesOne = (prepare: (file: string) => void = () => {}): boolean => {
    const early = new EarlyStart(folder, "a command");
    early.begin();
    for (const name of existsSync(question) ? readdirSync(question) : []) prepare(`${question}/${name}`);
    early.keep(asked, "{}", { first: 0, again: 60 });
    early.leave();
    const leaves = existsSync(`${folder}/spares`);
    removeSpares(folder);
    return leaves;
  };
  const ago = (minutes: number) => (file: string) => {
    const then = new Date(Date.now() - minutes * 60_000);
    utimesSync(file, then, then);
  };
  assert.equal([leavesOne(), leavesOne(), leavesOne()], [false, true, true]);
  assert.equal([leavesOne(ago(11)), leavesOne(ago(9)), leavesOne()], [false, true, true]);
  // Other commands have pushed it out meanwhile.
  assert.equal([leavesOne(rmSync), leavesOne()], [false, true]);
  assert.is(readdirSync(question).length, 1);
});

(hasSandbox ? test : test.skip)(
  "EarlyStart.end() leaves another one in the place of one that stood ready, if the command has evaluated lately",
  async () => {
    const { folder, make, askWith } = watchedFlake(600);
    const first = make();
    await askWith(first, "a");
    first.leave();
    const [name] = readdirSync(`${folder}/questions`) as [string];
    const leavesAnother = async (minutesAgo: number): Promise<boolean> => {
      const early = make();
      await beginReady(early);
      const then = new Date(Date.now() - minutesAgo * 60_000);
      utimesSync(`${folder}/questions/${name}`, then, then);
      early.end({ first: 0, again: 600 });
      removeSpares(folder);
      early.leave();
      return existsSync(`${folder}/spares`);
    };
    assert.is(await leavesAnother(9), true);
    assert.is(await leavesAnother(11), false);
  },
);

test.run();

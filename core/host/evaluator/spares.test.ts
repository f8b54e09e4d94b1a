import { spawn } from "node:child_process";
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../process/find-program.ts";
import { EarlyStart } from "./early-start.ts";
import { engineBundle } from "./engine.ts";
import { END_MARK } from "./protocol.ts";
import { Spares } from "./spares.ts";
import type { EvaluationProcess, RunningEvaluation } from "./spawn-evaluation.ts";
import { flakeText, writeFiles } from "./testing.ts";
import { watchedFlake } from "./testing-early-start.ts";

const canBe = findProgram("bwrap") !== undefined && engineBundle() !== undefined;
if (!canBe)
  console.log("skipped: bubblewrap is not installed, or the bundle is older than its sources, see `npm run bundle`");
const spareTest = canBe ? test : test.skip;

/** A flake that was asked once, with a process that stands ready for the next question. */
async function makeWorld(command?: string) {
  const { folder, make, askWith } = watchedFlake(60, { command });
  const first = make();
  assert.is(await askWith(first), 1);
  first.leave();
  const spares = `${folder}/spares`;
  const asked = first.asked as EvaluationProcess;
  const question = `${folder}/questions/${readdirSync(`${folder}/questions`)[0]}`;
  await until("a process stands ready", () => readdirSync(spares).some((name) => existsSync(`${spares}/${name}/in`)));
  return { folder, spares, make, askWith, asked, question };
}

async function until(what: string, isSo: () => boolean, seconds = 60): Promise<void> {
  for (const end = Date.now() + seconds * 1000; !isSo(); await sleep(20)) {
    if (Date.now() > end) throw new Error(`After ${seconds} seconds it is still not so: ${what}`);
  }
}

/** Processes whose words name this folder. */
function processesOf(folder: string): number[] {
  return readdirSync("/proc").flatMap((pid) => {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return [];
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes(folder) ? [Number(pid)] : [];
    } catch {
      return [];
    }
  });
}

function killAll(folder: string): void {
  for (const pid of processesOf(folder)) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended with another one.
    }
  }
}

/** How many processes one that stands ready has: two shells, two of the sandbox, and itself. */
const EACH = 5;

/** Whether as many stand ready: they have done all that they do before they are asked, and wait. */
function standReady(folder: string, count = 1): boolean {
  const processes = processesOf(folder);
  return processes.length === EACH * count && processes.every(sleeps);
}

function sleeps(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.startsWith("S") === true;
  } catch {
    return false;
  }
}

const claimed = async (world: Awaited<ReturnType<typeof makeWorld>>): Promise<RunningEvaluation> => {
  let child: RunningEvaluation | undefined;
  await until("it can be had", () => (child = new Spares(world.folder).claim(world.asked)) !== undefined);
  return child as RunningEvaluation;
};

spareTest(
  "Spares has a process for the next question, whatever it is, which sees the flake as it is then",
  async () => {
    const { folder, spares, make, askWith } = await makeWorld();
    await until("it waits", () => standReady(folder));
    writeFileSync(`${folder}/flake/a.ts`, 'import { more } from "./more.ts";\nexport const a = 2 + more;\n');
    writeFileSync(`${folder}/flake/more.ts`, "export const more = 40;\n");
    const early = make();
    assert.ok(early.begin()?.isSpare);
    assert.is(await askWith(early), 42);
    assert.ok(early.taken?.isSpare);
    early.leave();
    await until("there is another one", () => readdirSync(spares).length === 1);
    // A question that was not expected, begun by nothing.
    const other = make();
    await until("it waits", () => standReady(folder));
    assert.is(await askWith(other, "b"), 3);
    assert.ok(other.taken?.isSpare);
    await until("it has ended", () => processesOf(folder).length === 0);
    assert.equal(readdirSync(spares), []);
  },
);

spareTest("Spares gives a process once, and it ends with whoever has it", async () => {
  const world = await makeWorld();
  const child = await claimed(world);
  assert.is(new Spares(world.folder).claim(world.asked), undefined);
  child.kill();
  await until("it has ended", () => processesOf(world.folder).length === 0);
});

spareTest("Spares leaves nothing behind of a command that was killed while it was answered", async () => {
  const world = await makeWorld();
  writeFileSync(`${world.folder}/flake/a.ts`, "for (;;);\nexport const a = 1;\n");
  const code = `
    import { readFileSync } from "node:fs";
    import { EarlyStart } from ${JSON.stringify(new URL("early-start.ts", import.meta.url).href)};
    for (;;) {
      const child = new EarlyStart(${JSON.stringify(world.folder)}, "a command").begin();
      if (child?.isSpare) { child.hold(true); child.output.resume(); console.log("asked"); break; }
      child?.kill();
    }
    setInterval(() => {}, 1000);`;
  const command = spawn(process.execPath, ["--input-type=module", "--eval", code], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((resolve) => command.stdout.once("data", resolve));
  assert.ok(processesOf(world.folder).length > 1);
  command.kill("SIGKILL");
  await until("it has ended", () => processesOf(world.folder).length === 0);
  // Its folder is cleared away by the next one that leaves a process.
  const late = { question: world.question, seconds: 60 };
  for (const name of readdirSync(world.spares)) assert.ok(existsSync(`${world.spares}/${name}/taken`));
  new Spares(world.folder).leave(world.asked, late);
  await until("there is another one", () => processesOf(world.folder).length > 0);
  new Spares(world.folder).end();
});

spareTest("evaluate() asks again where a process that stood ready ends without an answer", async () => {
  const { folder, make, askWith, question } = await makeWorld();
  await until("it waits", () => standReady(folder));
  const early = make();
  // One of another bundle: it says nothing and ends.
  assert.ok(early.begin());
  const { taken } = early;
  assert.is(taken, undefined);
  killAll(folder);
  assert.is(await askWith(early), 1);
  const prepared = readFileSync(question, "utf8");
  writeFileSync(`${folder}/other`, prepared.replace(/"bundle":"[^"]*"/, '"bundle":"another"'));
  new Spares(folder).leave(early.asked as EvaluationProcess, { question: `${folder}/other`, seconds: 60 });
  await until("it waits", () => standReady(folder));
  const next = make();
  assert.is(await askWith(next), 1);
  assert.ok(next.taken?.isSpare);
});

spareTest("evaluate() tells a line once of what it asks again", async () => {
  const { folder, make, askWith } = await makeWorld();
  await until("it waits", () => standReady(folder));
  // Long enough that it is still there when its first line is heard.
  const busy = "let sum = 0;\nfor (let i = 0; i < 3e8; i++) sum = (sum + i) | 0;";
  writeFileSync(`${folder}/flake/a.ts`, `console.log("begun");\n${busy}\nconsole.log("done");\nexport const a = 9;\n`);
  const lines: string[] = [];
  const onLine = (line: string): void => {
    if (lines.length === 0) killAll(folder);
    lines.push(line);
  };
  const early = make();
  assert.is(await askWith(early, "a", { onLine }), 9);
  assert.ok(early.taken?.isSpare);
  assert.equal(
    lines.map((line) => line.replace(/^.*(begun|done)$/s, "$1")),
    ["begun", "done"],
  );
});

spareTest("evaluate() does without what a process has prepared that the flake needs no more", async () => {
  const { folder, make, askWith } = await makeWorld();
  await until("it waits", () => standReady(folder));
  writeFileSync(`${folder}/flake/flake.config.ts`, "export default { outputs: () => ({ a: 5 }) };\n");
  const early = make();
  const answer = askWith(early).catch((error: { code: string }) => error.code);
  assert.is(
    await answer,
    await askWith(new EarlyStart(`${folder}/none`, "fresh")).catch((error: { code: string }) => error.code),
  );
  assert.ok(early.taken?.isSpare);
});

spareTest("evaluate() asks no process that stands ready where another folder has the flake's name by now", async () => {
  const { folder, make, askWith } = await makeWorld();
  await until("it waits", () => standReady(folder));
  renameSync(`${folder}/flake`, `${folder}/moved`);
  writeFiles(folder, {
    "flake/flake.config.ts": flakeText("{ a, b: 3 }", 'import { a } from "./a.ts";'),
    "flake/a.ts": "export const a = 7;\n",
  });
  const early = make();
  assert.is(await askWith(early), 7);
  assert.ok(early.taken?.isSpare, "one was asked, and gave no answer");
});

spareTest("a process that stands ready answers nothing once it sees a repository that came after it", async () => {
  for (const [isSeen, contents] of [
    [false, undefined],
    [false, ""],
    [true, "[remote]"],
  ] as const) {
    const world = await makeWorld();
    const child = await claimed(world);
    if (contents !== undefined) writeFileSync(`${world.folder}/flake/.git`, contents);
    child.hold(true);
    child.errors.resume();
    child.input?.write(`${readFileSync(world.question, "utf8").split("\n", 1)[0]}\n`);
    let said = "";
    for await (const piece of child.output) if ((said += piece).includes(END_MARK)) break;
    assert.is(said.includes(END_MARK), !isSeen, said);
    child.kill();
  }
});

spareTest("a process that stands ready ends when its time is over, and when its folder is removed", async () => {
  const { folder, spares, asked, question } = await makeWorld();
  await until("it waits", () => standReady(folder));
  for (const name of readdirSync(spares)) rmSync(`${spares}/${name}`, { recursive: true });
  await until("it has ended", () => processesOf(folder).length === 0);
  new Spares(folder).leave(asked, { question, seconds: 1 });
  await until("there is another one", () => processesOf(folder).length > 0);
  await until("its time is over", () => processesOf(folder).length === 0);
  assert.equal(readdirSync(spares), []);
});

spareTest(
  "Spares.leave() takes a folder with a plain file in place of the pipe for none that stands ready",
  async () => {
    const { folder, spares, asked, question } = await makeWorld();
    const [name] = readdirSync(spares);
    await until("it waits", () => standReady(folder));
    killAll(folder);
    await until("it has ended", () => processesOf(folder).length === 0);
    rmSync(spares, { recursive: true });
    writeFiles(folder, { [`spares/${name}/in`]: "" });
    new Spares(folder).leave(asked, { question, seconds: 60 });
    await until("one stands ready", () => readdirSync(spares).length === 2);
    await until("it can be ended", () => {
      new Spares(folder).end();
      return processesOf(folder).length === 0;
    });
  },
);

spareTest("Spares.leave() has two of them at most, of each flake one", async () => {
  const world = await makeWorld();
  const { spares, asked, question, folder } = world;
  await until("the first waits", () => standReady(folder));
  const [first] = readdirSync(spares);
  const all = new Spares(folder);
  all.leave(asked, { question, seconds: 60 });
  assert.equal(readdirSync(spares), [first]);
  for (const flake of ["/one", "/two"]) {
    all.leave({ ...asked, flake }, { question, seconds: 60 });
    await until("two of them wait", () => standReady(folder, 2));
  }
  assert.is(readdirSync(spares).length, 2);
  assert.not.ok(readdirSync(spares).includes(first as string));
  all.leave({ ...asked, flake: "/two", words: [...asked.words, "--other"] }, { question, seconds: 60 });
  await until("it takes the place of the other of its flake", () => standReady(folder, 2));
  // One that has just begun cannot be had yet.
  await until("they have ended", () => {
    all.end();
    return processesOf(folder).length === 0;
  });
});

/** The launcher in a folder of its own, whose program is this code; `early` is what was begun. Gives all that the program prints. */
function launch(folder: string, code: string) {
  writeFiles(folder, { "house/dist/floe.cjs": programText(folder, code) });
  mkdirSync(`${folder}/house/tools/cli`, { recursive: true });
  mkdirSync(`${folder}/house/node_modules/.bin`, { recursive: true });
  mkdirSync(`${folder}/cache`, { recursive: true });
  copyFileSync(new URL("../../../tools/cli/floe", import.meta.url), `${folder}/house/tools/cli/floe`);
  for (const [target, path] of [
    [process.execPath, "house/node_modules/.bin/node"],
    [folder, "cache/floe"],
  ] as const)
    if (!existsSync(`${folder}/${path}`)) symlinkSync(target, `${folder}/${path}`);
  const env = { PATH: process.env["PATH"], XDG_CACHE_HOME: `${folder}/cache` };
  const program = spawn(`${folder}/house/tools/cli/floe`, WORDS, {
    cwd: "/usr/lib",
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const said: string[] = [];
  program.stdout.setEncoding("utf8").on("data", (text: string) => said.push(text));
  const ended = new Promise<string>((resolve) => program.on("close", () => resolve(said.join(""))));
  return { program, said, ended };
}

const WORDS = ["eval", "../flake#a"];
/** These words in that folder, as the launcher names them. */
const COMMAND = "+usr+lib eval ..+flake#a";

function programText(folder: string, code: string): string {
  const module = new URL("early-start.ts", import.meta.url).href;
  return `
    const { FLOE_COMMAND: command, FLOE_ASKED: asked } = process.env;
    const { existsSync } = require("node:fs");
    import(${JSON.stringify(module)}).then(async ({ EarlyStart }) => {
      const early = new EarlyStart(${JSON.stringify(folder)}, "a command", { command, asked });
      ${code}
    });`;
}

/** Prints what the process that was asked says. */
const TELL = `
  const child = early.begin();
  if (child?.isSpare !== true) throw new Error("nobody was asked");
  child.hold(true);
  child.errors.resume();
  child.output.pipe(process.stdout);`;

const linked = (folder: string): boolean => existsSync(`${folder}/ready/${COMMAND}/in`);

spareTest("the launcher asks the process that its command left, which answers for what was edited", async () => {
  const { folder } = await makeWorld(COMMAND);
  await until("it waits", () => standReady(folder) && linked(folder));
  writeFileSync(`${folder}/flake/a.ts`, "export const a = 17;\n");
  // By now it has been asked by nobody else, and answers.
  const { ended } = launch(folder, `await new Promise((resolve) => setTimeout(resolve, 200));${TELL}`);
  assert.match(await ended, /"value":17/);
  await until("it has ended", () => processesOf(`${folder}/flake`).length === 0);
});

spareTest(
  "the launcher asks a process that does nothing before it is asked again, where nothing was edited",
  async () => {
    const { folder } = await makeWorld(COMMAND);
    await until("it waits", () => standReady(folder) && linked(folder));
    const { ended } = launch(folder, TELL);
    assert.match(await ended, /"value":1,/);
  },
);

spareTest("EarlyStart.free() lets a process wait for the next command, which knows its own answer", async () => {
  const { folder } = await makeWorld(COMMAND);
  await until("it waits", () => standReady(folder) && linked(folder));
  const free = `
    if (asked === undefined) throw new Error("nobody was asked");
    while (existsSync(asked + "/taken")) {
      early.free();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.log("free");`;
  for (let i = 0; i < 2; i++) assert.is(await launch(folder, free).ended, "free\n");
  assert.ok(linked(folder));
  writeFileSync(`${folder}/flake/a.ts`, "export const a = 18;\n");
  assert.match(await launch(folder, TELL).ended, /"value":18/);
});

spareTest("a process that the launcher asked ends with it, and where it has begun to answer", async () => {
  const { folder } = await makeWorld(COMMAND);
  await until("it waits", () => standReady(folder) && linked(folder));
  writeFileSync(`${folder}/flake/a.ts`, "for (;;);\nexport const a = 1;\n");
  const { program, ended } = launch(folder, "setInterval(() => early.free(), 100);");
  await until("it was asked", () => existsSync(`${folder}/ready/${COMMAND}/taken`));
  await until("it answers", () => processesOf(`${folder}/flake`).some((pid) => !sleeps(pid)));
  assert.ok(linked(folder));
  program.kill("SIGKILL");
  await ended;
  await until("it has ended", () => processesOf(`${folder}/flake`).length === 0);
});

spareTest("the launcher asks nobody for another command, and does without a process that has ended", async () => {
  const { folder } = await makeWorld("+usr+lib eval ..+flake#b");
  await until("it waits", () => standReady(folder));
  const tell = `console.log(command, asked, early.begin() === undefined);`;
  assert.is(await launch(folder, `${tell}process.exit(0);`).ended, `${COMMAND} undefined false\n`);
  await until("it has ended", () => processesOf(`${folder}/flake`).length === 0);
  const { folder: other } = await makeWorld(COMMAND);
  await until("it waits", () => standReady(other) && linked(other));
  killAll(`${other}/`);
  const { ended } = launch(
    other,
    `const child = early.begin(); child.onEnd(() => console.log("has ended"));
    child.hold(true); child.output.resume(); child.errors.resume();`,
  );
  assert.is(await ended, "has ended\n");
});

const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.log("skipped: only root gives files away");

(canBe && isRoot ? test : test.skip)("Spares asks nothing in a folder of another user", async () => {
  const { folder, spares, asked } = await makeWorld();
  await until("it waits", () => standReady(folder));
  const [name] = readdirSync(spares);
  chownSync(`${spares}/${name}`, 12345, 12345);
  assert.is(new Spares(folder).claim(asked), undefined);
  chownSync(`${spares}/${name}`, 0, 0);
  new Spares(folder).end();
  await until("it has ended", () => processesOf(folder).length === 0);
});

test.run();

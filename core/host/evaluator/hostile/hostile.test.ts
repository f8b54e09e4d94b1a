import { execFileSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../../base/index.ts";
import type { LockedSource } from "../../../flake/index.ts";
import { findEngine } from "../engine.ts";
import type { EvaluationResult } from "../evaluate.ts";
import type { LockedFlake } from "../locked-flake.ts";
import { Records } from "../record.ts";
import { ask, flakeIn, makeFolder } from "../testing.ts";
import { ANSWERS } from "./answers.ts";
import { BROKEN } from "./broken.ts";
import { configOf, type HostileCase, type HostileFile, LINE_MARK, MARK } from "./corpus.ts";
import { ENDLESS } from "./endless.ts";
import { ESCAPES } from "./escapes.ts";
import { IMPURE } from "./impure.ts";

/** Keeps no answers, and one set of stripped modules for all cases. */
class SharedModules extends Records {
  override modulesOf(): ReturnType<Records["modulesOf"]> {
    return super.modulesOf("all");
  }
  override keep(): void {}
}

const records = new SharedModules(makeFolder({}));
const EVIL_PATH = `/nix/store/${"1".repeat(32)}-source`;

interface Laid {
  readonly folder: string;
  /** Where the mark is, as a place. */
  readonly mark: { file: string; line: number; column: number } | undefined;
}

function layOut(one: HostileCase): Laid {
  const folder = `${makeFolder({ "outside.ts": "export default 1;\n" })}/flake`;
  mkdirSync(folder);
  const files: Record<string, HostileFile> = { "flake.config.ts": configOf(one), "data.json": "{}", ...one.files };
  let mark: Laid["mark"];
  for (const [name, file] of Object.entries(files)) {
    const path = `${folder}/${name}`;
    mkdirSync(dirname(path), { recursive: true });
    if (typeof file === "string") {
      writeFileSync(path, file);
      // An input is known by its store path.
      const shown = name.startsWith("input/") ? `${EVIL_PATH}${name.slice("input".length)}` : path;
      mark = placeOfMark(file, shown) ?? mark;
    } else if ("link" in file) symlinkSync(file.link, path);
    else if ("bytes" in file) writeFileSync(path, Buffer.from(file.bytes));
    else if ("pipe" in file) execFileSync("mkfifo", [path]);
    else mkdirSync(path);
  }
  return { folder, mark };
}

function flakeOf(one: HostileCase, folder: string): LockedFlake {
  if (!Object.keys(one.files ?? {}).some((name) => name.startsWith("input/"))) return flakeIn(folder);
  const locked: LockedSource = { type: "path", path: "./input", narHash: `sha256-${"A".repeat(43)}=`, lastModified: 0 };
  return {
    ...flakeIn(folder),
    lock: {
      version: 1,
      root: "root",
      nodes: { root: { inputs: { evil: "evil" } }, evil: { original: "path:./input", locked } },
    } as LockedFlake["lock"],
    resolved: {
      inputs: { evil: "evil" },
      nodes: new Map([["evil", { storePath: EVIL_PATH, locked, isFlake: true, inputs: {} }]]),
    } as unknown as LockedFlake["resolved"],
    hostPath: () => `${folder}/input`,
  };
}

function placeOfMark(text: string, file: string): Laid["mark"] {
  const exact = text.indexOf(MARK);
  const at = exact === -1 ? text.indexOf(LINE_MARK) : exact + MARK.length;
  if (at === -1) return undefined;
  const before = text.slice(0, at).split("\n");
  const start = (before.at(-1) as string).search(/\S|$/) + 1;
  return { file, line: before.length, column: exact === -1 ? start : (before.at(-1) as string).length + 1 };
}

async function check(one: HostileCase): Promise<void> {
  const { folder, mark } = layOut(one);
  const printed: string[] = [];
  const onLine = (line: string): void => void printed.push(line);
  const run = ask(flakeOf(one, folder), "a", { records, onLine, timeoutSeconds: 60, ...one.limits });
  const outcome = await run.then(
    (result) => ({ result }),
    (error: CodedError) => ({ error }),
  );
  if ("result" in outcome) checkHarmless(one, outcome.result, folder);
  else checkRefused(one, outcome.error, { folder, mark });
  assert.ok(printed.length <= 10_100, "what is printed has a limit");
}

function checkHarmless(one: HostileCase, { value }: EvaluationResult, folder: string): void {
  assert.is(one.refused, undefined, `found the value ${JSON.stringify(value)?.slice(0, 200)}, expected an error`);
  assert.equal(value, one.value);
  const text = JSON.stringify(value);
  for (const secret of [folder, findEngine(), "node:internal"]) assert.not.ok(text.includes(secret), secret);
}

function checkRefused(one: HostileCase, error: CodedError, { folder, mark }: Laid): void {
  assert.is(error.code, one.refused, `${error.stack}`);
  if (one.saying !== undefined) assert.ok(error.message.includes(one.saying), error.message);
  assert.ok(error.at, "it has a place");
  assert.ok(error.at.file.startsWith(`${folder}/`) || error.at.file.startsWith(`${EVIL_PATH}/`), error.at.file);
  if (mark !== undefined) assert.equal(error.at, mark);
  assert.ok(error.at.line > 0 && error.at.column > 0);
  const told = [error.message, error.hint ?? "", ...(error.details ?? [])].join("\n");
  assert.not.match(told, /(?<![.\w])\/@fl(oe|ake)|node:internal|at .*\/core\/|evaluator\.cjs/);
  assert.ok(told.length < 50_000, "it is no flood");
}

/** Some at a time: most of a case is the start of its process. */
class Runner {
  readonly #waiting: (() => void)[] = [];
  #free = availableParallelism() + 1;

  async run(work: () => Promise<void>): Promise<void> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free--;
    try {
      await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}

const runner = new Runner();
const only = process.env["ONLY_CASE"];
const groups = { impure: IMPURE, escapes: ESCAPES, answers: ANSWERS, broken: BROKEN, endless: ENDLESS };
const all = Object.values(groups).flat();

// One first, whose stripped modules the others take.
await check({ name: "nothing", value: 1 });
const outcomes = new Map(
  all
    .filter(({ name }) => only === undefined || name.includes(only))
    .map((one) => [
      one,
      runner
        .run(() => check(one))
        .then(
          () => undefined,
          (error: unknown) => ({ error }),
        ),
    ]),
);

const test = suite("evaluate() refuses, or gives nothing away to:");
for (const [one, outcome] of outcomes) {
  test(one.name, async () => {
    const failed = await outcome;
    if (failed !== undefined) throw failed.error;
  });
}
test("the corpus holds at least sixty configurations, each under a name of its own", () => {
  assert.ok(all.length >= 60);
  assert.is(new Set(all.map(({ name }) => name)).size, all.length);
});
test.run();

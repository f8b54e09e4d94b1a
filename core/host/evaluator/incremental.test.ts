/** Whatever was recorded, the answer is that of a fresh evaluation: value, plan, warnings, and errors with their places. */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  globSync,
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { LockedSource } from "../../flake/index.ts";
import { findProgram } from "../process/find-program.ts";
import { EarlyStart, offerEarlyStart } from "./early-start.ts";
import { engineBundle, findEngine } from "./engine.ts";
import { evaluate, type EvaluationResult } from "./evaluate.ts";
import type { LockedFlake, Question } from "./locked-flake.ts";
import { Records } from "./record.ts";
import { tryOpen } from "./spawn-evaluation.ts";
import { flakeIn, makeFolder, writeFiles } from "./testing.ts";
import { dice, told, toldError } from "./testing-answers.ts";

/** `EDITS=1000 node core/host/evaluator/incremental.test.ts` does more. With those of ../flake/own-flake.test.ts they are 300. */
const EDITS = Number(process.env["EDITS"] ?? 264);
/** Flakes that are edited side by side, each by its own dice. */
const FLAKES = availableParallelism() + 1;
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);

const CONFIG = `import { derivation, local } from "#floe/derivation";
import { defineFlake, importSync } from "#floe/flake";
import { evaluateModules } from "#floe/module";
import { modules } from "./modules/index.ts";
import { greet } from "./pkgs/greet.ts";
import { unused } from "./pkgs/unused.ts";
import data from "./data.json" with { type: "json" };

const attempt = (run: () => unknown): string => {
  try {
    return String(run());
  } catch (error: any) {
    return \`\${error.code} \${error.message} \${error.hint}\`;
  }
};

export default defineFlake({
  description: "One to be edited",
  outputs: ({ inputs }) => ({
    get c() {
      return [attempt(() => importSync<any>("./pkgs/perhaps.ts").perhaps), attempt(() => local("./tree/perhaps"))];
    },
    get a() {
      const { config, warnings, definitionsOf } = evaluateModules({ modules, config: { web: { name: data.name } } as never }) as any;
      const made = derivation({
        name: "made",
        system: "x86_64-linux",
        builder: "/bin/sh",
        env: { config: JSON.stringify(config), src: local("./tree"), greet: greet("greet"), input: \`\${(inputs as any).dep}\` },
      });
      return { made, warnings, config, at: definitionsOf("web.port").map((each: any) => each.at) };
    },
    get b() {
      return unused("b");
    },
  }),
});
`;
const OPTIONS = `import { declare, option } from "#floe/module";

export const options = declare("web", {
  /** Its name. */
  name: option.str({ default: "x" }),
  port: option.port({ default: 80 }),
  lines: option.listOf(option.str(), { default: [] }),
});
`;
const FILES: Readonly<Record<string, string>> = {
  "flake.config.ts": CONFIG,
  "data.json": '{ "name": "one" }',
  "modules/options.ts": OPTIONS,
  "modules/index.ts": `import { web } from "./web.ts";\nexport const modules: any[] = [web];\n`,
  "modules/web.ts": `import { defineModule } from "#floe/module";\nimport { options } from "./options.ts";\nimport { port } from "../values/port.ts";\n\nexport const web = defineModule(options, ({ cfg, define, warn }) => {\n  if (cfg.name === "one") warn("the name is one");\n  define({ web: { port: port(1) } } as never);\n});\n`,
  "values/port.ts": "export const port = (n: number): number => n + 80;\n",
  "other-values/port.ts": "export const port = (n: number): number => n + 8000;\n",
  "pkgs/greet.ts": `import { derivation } from "#floe/derivation";\n\nexport const greet = (name: string): string => derivation({ name, system: "x86_64-linux", builder: "/bin/sh", env: { v: "1" } }).outPath;\n`,
  "pkgs/perhaps.ts": "export const perhaps = 1;\n",
  "pkgs/unused.ts": "export const unused = (name: string): string => `unused ${name}`;\n",
  "tree/file": "one",
  "tree/deep/file": "two",
  "tree/perhaps": "three",
};

type State = Readonly<{ folder: string; input: () => string; pick: (count: number) => number }>;
const at = ({ folder }: State, name: string): string => `${folder}/${name}`;
const change = (name: string, edit: (text: string, n: number) => string) => (state: State) => {
  const path = at(state, name);
  if (existsSync(path) && statSync(path).isFile())
    writeFileSync(path, edit(readFileSync(path, "utf8"), state.pick(1000)));
};
const swap = (one: string, other: string) => (state: State) => {
  for (const [from, to] of [
    [one, `${one}.aside`],
    [other, one],
    [`${one}.aside`, other],
  ] as const)
    if (lstatSync(at(state, from), { throwIfNoEntry: false }) !== undefined) renameSync(at(state, from), at(state, to));
};
const NAMES = Object.keys(FILES);

/** What people and their programs do to a flake. */
const KINDS: Readonly<Record<string, (state: State) => void>> = {
  "a comment at the end": (state) =>
    change(NAMES[state.pick(NAMES.length)] as string, (text, n) => `${text}// ${n}\n`)(state),
  "a line more at the beginning": (state) =>
    change(`modules/${["web", "options", "index"][state.pick(3)]}.ts`, (text) => `// moves all\n${text}`)(state),
  "another port, of equal length": change("modules/web.ts", (text, n) =>
    text.replace(/port\(\d+\)/, `port(${n % 10})`),
  ),
  "a port of no kind": change("modules/web.ts", (text) => text.replace(/port\(\d+\)/, "port(70000)")),
  "a value of a type it has not": change("modules/web.ts", (text) => text.replace(/port: port\(/, 'port: "" + port(')),
  "a misspelt option": change("modules/web.ts", (text) => text.replace("{ port:", "{ prot:")),
  "an option more": change("modules/options.ts", (text, n) =>
    text.replace("  lines:", `  o${n}: option.int({ default: ${n} }),\n  lines:`),
  ),
  "an option without a value": change("modules/options.ts", (text) =>
    text.replace("option.port({ default: 80 })", "option.port()"),
  ),
  "a module more": (state) => {
    const n = state.pick(1000);
    writeFiles(state.folder, {
      [`modules/m${n}.ts`]: `import { defineModule } from "#floe/module";\n\nexport const m = defineModule({ key: "m${n}" }, ({ define }) => {\n  define({ web: { lines: ["${n}"] } } as never);\n});\n`,
    });
    change("modules/index.ts", (text) =>
      text.includes(`m${n}`)
        ? text
        : `import { m as m${n} } from "./m${n}.ts";\n${text.replace("[web", `[web, m${n}`)}`,
    )(state);
  },
  "an import of what is not there": change("modules/index.ts", (text) => `import "./absent.ts";\n${text}`),
  "the absent module": (state) => writeFiles(state.folder, { "modules/absent.ts": "export {};\n" }),
  "a syntax error": change("values/port.ts", (text) => text.replace("=>", "=> =>")),
  "a throw": change("values/port.ts", (text) =>
    text.replace("=> n", '=> { throw new Error("no"); }; void ((n: number) => n)').replace("+ 80;", "+ 80);"),
  ),
  "other data": change("data.json", (_, n) => `{ "name": "${n % 2 === 0 ? "one" : `n${n}`}" }`),
  "a package that is used": change("pkgs/greet.ts", (text, n) => text.replace(/v: "\d+"/, `v: "${n}"`)),
  "a package that is not used": change("pkgs/unused.ts", (text, n) => text.replace(/`unused[^`]*`/, `\`unused ${n}\``)),
  "a file that is not read": (state) =>
    writeFiles(state.folder, { [`notes/${state.pick(5)}`]: String(state.pick(1000)) }),
  "a file that may be missing": (state) => {
    const path = at(state, "pkgs/perhaps.ts");
    if (existsSync(path)) rmSync(path);
    else writeFileSync(path, `export const perhaps = ${state.pick(10)};\n`);
  },
  "a source that may be missing": (state) => {
    const path = at(state, "tree/perhaps");
    if (existsSync(path)) rmSync(path);
    else writeFileSync(path, String(state.pick(10)));
  },
  "a file of a tree": (state) => writeFiles(state.folder, { "tree/file": String(state.pick(10)) }),
  "a file more in a tree": (state) => writeFiles(state.folder, { [`tree/n${state.pick(4)}`]: "new" }),
  "a file less in a tree": (state) => rmSync(at(state, `tree/n${state.pick(4)}`), { force: true }),
  "another name in a tree": swap("tree/deep/file", "tree/deep/moved"),
  "another mode in a tree": (state) => {
    const path = at(state, "tree/file");
    const { mode } = statSync(path);
    rmSync(path);
    writeFileSync(path, "one", { mode: mode & 0o100 ? 0o644 : 0o755 });
  },
  "folders that change places": swap("values", "other-values"),
  "a folder that becomes a link": (state) => {
    if (lstatSync(at(state, "values")).isSymbolicLink() || existsSync(at(state, "real-values"))) return;
    renameSync(at(state, "values"), at(state, "real-values"));
    symlinkSync("real-values", at(state, "values"));
  },
  "a link to elsewhere": (state) => {
    const link = at(state, "values");
    if (!lstatSync(link).isSymbolicLink()) return;
    const target = readlinkSync(link) === "real-values" ? "other-values" : "real-values";
    rmSync(link);
    symlinkSync(target, link);
  },
  "equal bytes in a new file": (state) => {
    const path = at(state, "pkgs/greet.ts");
    const text = readFileSync(path);
    rmSync(path);
    writeFileSync(path, text);
  },
  "an edit that hides its time": (state) => {
    const path = at(state, "pkgs/greet.ts");
    const { atime, mtime } = statSync(path);
    change("pkgs/greet.ts", (text, n) => text.replace(/v: "\d+"/, `v: "${n % 10}"`))(state);
    utimesSync(path, atime, mtime);
  },
  "the input, moved": (state) => writeFiles(state.input(), { file: String(state.pick(5)) }),
  "all as it was": (state) => {
    for (const name of readdirSync(state.folder)) rmSync(at(state, name), { recursive: true, force: true });
    writeFiles(state.folder, FILES);
  },
};

/** Modules without their types are kept, answers are not. */
class NoAnswers extends Records {
  override modulesOf(): ReturnType<Records["modulesOf"]> {
    return super.modulesOf("fresh");
  }
  override keep(): void {}
}

const canStay = findProgram("bwrap") !== undefined && engineBundle() !== undefined;
if (!canStay)
  console.log(
    "without processes that stand ready: they need bubblewrap, and a bundle that is not older than its sources",
  );

const fresh = new NoAnswers(makeFolder({}));
const question = (attribute: string): Question => ({ want: "value", attribute, candidates: [attribute.split(".")] });

/** The flake with the input as it is now: its store path and hash follow its contents, as those of a lock do. */
function withInput(folder: string, input: string): LockedFlake {
  const digest = createHash("sha256")
    .update(readFileSync(`${input}/file`))
    .digest();
  const locked: LockedSource = {
    type: "path",
    path: "../input",
    narHash: `sha256-${digest.toString("base64")}`,
    lastModified: 0,
  };
  const storePath = `/nix/store/${digest.toString("hex").replaceAll("e", "x").slice(0, 32)}-source`;
  // Each state lies in a place of its own, as in a store.
  const place = `${input}-${digest.toString("hex").slice(0, 8)}`;
  if (!existsSync(place)) writeFiles(place, { file: readFileSync(`${input}/file`, "utf8") });
  return {
    ...flakeIn(folder),
    lock: {
      version: 1,
      root: "root",
      nodes: { root: { inputs: { dep: "dep" } }, dep: { original: "path:../input", flake: false, locked } },
    } as unknown as LockedFlake["lock"],
    replaced: ["dep"],
    resolved: {
      inputs: { dep: "dep" },
      nodes: new Map([["dep", { storePath, locked, isFlake: false, inputs: {} }]]),
    } as unknown as LockedFlake["resolved"],
    hostPath: () => place,
  };
}

/** A digest over all a flake is, by which what was asked of an equal one before is known: half of the time this test takes. */
function contentsOf(folder: string): string {
  const hash = createHash("sha256");
  const walk = (path: string): void => {
    const stat = lstatSync(path);
    hash.update(`${path.slice(folder.length)}\0${stat.mode}\0`);
    if (stat.isDirectory())
      readdirSync(path)
        .sort()
        .forEach((name) => walk(`${path}/${name}`));
    else
      hash.update(
        stat.isSymbolicLink() ? readlinkSync(path) : createHash("sha256").update(readFileSync(path)).digest(),
      );
  };
  walk(folder);
  return hash.digest("hex");
}

const asked = (records: Records, flake: LockedFlake, attribute: string, early?: EarlyStart): Promise<string> => {
  offerEarlyStart(early);
  return evaluate({ flake, question: question(attribute), records }).then((result) => {
    if (result.kind === "builds-needed") throw new Error("nothing of this flake is built");
    return told(result);
  }, toldError);
};

/** As the commands do: the record first. */
async function answer(
  records: Records,
  flake: LockedFlake,
  attribute: string,
  early?: EarlyStart,
): Promise<{ text: string; recorded: boolean }> {
  const found = records.find(flake, question(attribute));
  if (found !== undefined) return { text: told(found), recorded: true };
  return { text: await asked(records, flake, attribute, early), recorded: false };
}

const tally = { recorded: 0, errors: 0, spares: 0, ahead: 0 };

/** As of a command at a terminal: a process stands ready for the next one. */
class Interactive extends EarlyStart {
  override take(...asked: Parameters<EarlyStart["take"]>): ReturnType<EarlyStart["take"]> {
    const child = super.take(...asked);
    if (child?.isSpare === true) tally.spares++;
    return child;
  }

  override keep(...[asked, question]: Parameters<EarlyStart["keep"]>): void {
    super.keep(asked, question, { first: 60, again: 60 });
  }
}

/** As the launcher does it: an empty line means the question that it was prepared for, which is the one that is begun with. */
function askAhead(cache: string): void {
  const { O_WRONLY, O_NONBLOCK } = constants;
  for (const folder of globSync(`${cache}/spares/*`)) {
    // One that was prepared for another question would answer that; the launcher's program compares them.
    const [begun] = globSync(`${cache}/questions/*`);
    if (begun === undefined || !existsSync(`${folder}/question`)) continue;
    if (readFileSync(begun, "utf8") !== readFileSync(`${folder}/question`, "utf8")) continue;
    const input = tryOpen(`${folder}/in`, O_WRONLY | O_NONBLOCK);
    if (input === undefined) continue;
    writeSync(input, "\n");
    closeSync(input);
    tally.ahead++;
  }
}

async function editOne(seed: number, edits: number, isInteractive: boolean): Promise<void> {
  const roll = dice(seed);
  const outer = makeFolder({ "input/file": "0" });
  const folder = `${outer}/flake`;
  writeFiles(folder, FILES);
  const state: State = { folder, input: () => `${outer}/input`, pick: roll };
  const records = new Records(`${outer}/records`);
  const history: string[] = [];
  const kinds = Object.keys(KINDS);
  const known = new Map<string, string>();
  for (let i = 0; i < edits; i++) {
    // A fault that stays would hide all that follows.
    const kind = i % 6 === 5 ? "all as it was" : (kinds[roll(kinds.length)] as string);
    KINDS[kind]?.(state);
    history.push(kind);
    const flake = withInput(folder, state.input());
    const attribute = ["b", "c", "c", "a"][Math.min(roll(12), 3)] as string;
    const early = isInteractive ? new Interactive(outer, "a command") : undefined;
    if (i % 2 === 0) {
      if (isInteractive && i % 4 === 0) askAhead(outer);
      early?.begin();
    }
    const incremental = await answer(records, flake, attribute, early);
    early?.end({ first: 60, again: 60 });
    early?.leave();
    const key = `${attribute} ${flake.hostPath("")} ${contentsOf(folder)}`;
    const expected = known.get(key) ?? (await asked(fresh, flake, attribute));
    known.set(key, expected);
    if (incremental.recorded) tally.recorded++;
    if (incremental.text.startsWith('["evaluation.') || incremental.text.startsWith('["option.')) tally.errors++;
    assert.is(incremental.text, expected, `after ${JSON.stringify(history.slice(-8))}; repeat with SEED=${SEED}`);
  }
}

test(`evaluate() and Records give what a fresh evaluation gives, after each of ${EDITS} edits (SEED=${SEED})`, async () => {
  const each = Math.ceil(EDITS / FLAKES);
  await Promise.all(Array.from({ length: FLAKES }, (_, i) => editOne(SEED + i * 7919, each, i === 0 && canStay)));
  assert.ok(tally.recorded > 0, `the record answered ${tally.recorded} times`);
  assert.ok(tally.errors > 0, `there were ${tally.errors} errors`);
  assert.ok(tally.spares > 0 || !canStay, `processes that stood ready answered ${tally.spares} times`);
  assert.ok(tally.ahead > 0 || !canStay, `none of them was asked ahead`);
});

test("Records find() has no answer after a change that left time and size as they were", async () => {
  const folder = makeFolder({ "flake.config.ts": "", "b.ts": "export const b = 1;\n" });
  writeFiles(folder, {
    "flake.config.ts": `import { defineFlake } from "#floe/flake";\nimport { b } from "./b.ts";\nexport default defineFlake({ outputs: () => ({ a: b }) });\n`,
  });
  const records = new Records(`${folder}/records`);
  const flake = flakeIn(folder);
  await asked(records, flake, "a");
  assert.ok(records.find(flake, question("a")));
  const { atime, mtime } = statSync(`${folder}/b.ts`);
  writeFileSync(`${folder}/b.ts`, "export const b = 2;\n");
  utimesSync(`${folder}/b.ts`, atime, mtime);
  assert.is(records.find(flake, question("a")), undefined);
});

test("Records find() takes a record with any byte changed, cut short, or with another plan, for none", async () => {
  const folder = makeFolder({ "flake/flake.config.ts": CONFIG });
  writeFiles(`${folder}/flake`, FILES);
  writeFiles(folder, { "input/file": "0" });
  const records = new Records(`${folder}/records`);
  const flake = withInput(`${folder}/flake`, `${folder}/input`);
  // A tree that changed less than 100 ms before makes a record that answers nothing.
  await sleep(200);
  const expected = await asked(records, flake, "a");
  const names = readdirSync(`${folder}/records`).filter((name) => name.endsWith(".json"));
  assert.is(names.length, 2);
  const roll = dice(SEED);
  for (const name of names) {
    const path = `${folder}/records/${name}`;
    const bytes = readFileSync(path);
    for (let i = 0; i < 50; i++) {
      const broken = Buffer.from(bytes);
      const place = roll(bytes.length);
      if (i % 5 === 4) writeFileSync(path, broken.subarray(0, place));
      else {
        broken[place] = (broken[place] as number) ^ (1 << roll(7));
        writeFileSync(path, broken);
      }
      assert.is(records.find(flake, question("a")), undefined, `byte ${place} of ${name}; SEED=${SEED}`);
    }
    writeFileSync(path, bytes);
  }
  assert.is(told(records.find(flake, question("a")) as EvaluationResult), expected, "and whole again it is the answer");
});

/** Keeps answers of a flake that another one keeps too, until it is killed; a minute at most, should nobody be left to do that. */
const KEEPER = `
const { Records } = await import(${JSON.stringify(`${findEngine()}/core/host/evaluator/record.ts`)});
const { evaluate } = await import(${JSON.stringify(`${findEngine()}/core/host/evaluator/evaluate.ts`)});
const { flakeIn } = await import(${JSON.stringify(`${findEngine()}/core/host/evaluator/testing.ts`)});
const [folder, records] = process.argv.slice(1);
const question = { want: "value", attribute: "a", candidates: [["a"]] };
const kept = new Records(records);
const result = await evaluate({ flake: flakeIn(folder), question, records: kept });
const { writeFileSync } = await import("node:fs");
console.log("ready");
const { kind, ...rest } = result;
for (const end = Date.now() + 60_000; Date.now() < end;)
  kept.keep(flakeIn(folder), question, { ...rest, value: "x".repeat(200_000) }, { trees: [], ways: [] });
`;

test("Records find() gives a whole record or none while two processes write and are killed", async () => {
  const folder = makeFolder({
    "flake/flake.config.ts": `import { defineFlake } from "#floe/flake";\nexport default defineFlake({ outputs: () => ({ a: "a" }) });\n`,
  });
  const flake = flakeIn(`${folder}/flake`);
  const records = new Records(`${folder}/records`);
  let seen = 0;
  for (let round = 0; round < 3; round++) {
    const writers = [1, 2].map(() =>
      spawn(
        process.execPath,
        ["--no-warnings", "--input-type=module", "-e", KEEPER, `${folder}/flake`, `${folder}/records`],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      ),
    );
    await Promise.all(writers.map((writer) => new Promise((resolve) => writer.stdout?.once("data", resolve))));
    const until = performance.now() + 150 + 50 * round;
    while (performance.now() < until) {
      const found = records.find(flake, question("a"));
      if (found === undefined) continue;
      seen++;
      assert.ok(found.value === "a" || found.value === "x".repeat(200_000));
      assert.equal(found.plan.derivations, []);
    }
    for (const writer of writers) {
      const ended = new Promise((resolve) => writer.once("exit", resolve));
      writer.kill("SIGKILL");
      await ended;
    }
  }
  assert.ok(seen > 0);
});

test.run();

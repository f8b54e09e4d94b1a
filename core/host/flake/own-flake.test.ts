/**
 * Whatever is edited in a copy of this very flake, the answer is that of a fresh evaluation: value, plan, and errors with their places; also
 * where a process stood ready for the question.
 */
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { offerEarlyStart } from "../evaluator/early-start.ts";
import { engineBundle } from "../evaluator/engine.ts";
import { findEngine } from "../evaluator/index.ts";
import { makeFolder } from "../evaluator/testing.ts";
import { dice, told, toldError } from "../evaluator/testing-answers.ts";
import { WatchedStart } from "../evaluator/testing-early-start.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { findProgram } from "../process/find-program.ts";
import { openFlake, type OpenFlake } from "./open-flake.ts";

/** With those of incremental.test.ts, to whose small flake everything odd can happen, they are 300. */
const EDITS = Number(process.env["EDITS"] ?? 36);
/** Copies that are edited, each by its own dice. */
const COPIES = 2;
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);

const PARTS = ["flake.config.ts", "lock.json", "core", "modules", "pkgs", "templates", "tools", "vm-tests"];
/** What people edit; the rest is only read. */
const EDITED = ["modules", "pkgs", "vm-tests"];
const CONFIG = "flake.config.ts";

const canBeReady = findProgram("bwrap") !== undefined && engineBundle() !== undefined;
if (!canBeReady)
  console.log("skipped processes that stand ready: there is no bubblewrap, or no bundle of these sources");

const { store } = openTemporaryStore();

/** A copy of this flake, and what is edited in it. */
class Copy {
  readonly folder: string;
  readonly #pristine = findEngine();
  readonly #roll: (count: number) => number;
  readonly #names: readonly string[];
  #touched = new Set<string>();
  /** What the system was made from when it was made last. */
  read: readonly string[] = [CONFIG];

  constructor(folder: string, seed: number) {
    this.folder = folder;
    this.#roll = dice(seed);
    for (const part of PARTS)
      cpSync(`${this.#pristine}/${part}`, `${folder}/${part}`, {
        recursive: true,
        filter: (path) => !/\/(?:node_modules|dist)$/.test(path),
      });
    this.#names = EDITED.flatMap((top) =>
      readdirSync(`${folder}/${top}`, { recursive: true, withFileTypes: true })
        .filter((each) => each.isFile())
        .map(({ parentPath, name }) => `${parentPath}/${name}`.slice(folder.length + 1)),
    ).sort();
  }

  roll(count: number): number {
    return this.#roll(count);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.#roll(items.length)] as Item;
  }

  /** A file, mostly one of the modules and packages that the system is made from. */
  file(ending = ""): string {
    const near = this.read.filter((name) => name.endsWith(ending) && this.exists(name));
    const all = this.#names.filter((name) => name.endsWith(ending) && this.exists(name));
    return this.pick(near.length > 0 && this.#roll(5) > 0 ? near : all);
  }

  exists(name: string): boolean {
    return existsSync(`${this.folder}/${name}`);
  }

  change(name: string, edit: (text: string) => string): string {
    this.#touched.add(name);
    writeFileSync(`${this.folder}/${name}`, edit(readFileSync(`${this.folder}/${name}`, "utf8")));
    return name;
  }

  changeLines(name: string, edit: (lines: string[], at: number) => void): string {
    return this.change(name, (text) => {
      const lines = text.split("\n");
      edit(lines, this.#roll(lines.length));
      return lines.join("\n");
    });
  }

  /** One of the places where a pattern is found becomes something else. */
  changeOne(name: string, pattern: RegExp, to: (found: string) => string): string {
    return this.change(name, (text) => {
      const found = [...text.matchAll(pattern)];
      if (found.length === 0) return text;
      const { 0: word, index } = this.pick(found);
      return text.slice(0, index) + to(word) + text.slice(index + word.length);
    });
  }

  moveAside(name: string): string {
    this.#touched.add(name);
    renameSync(`${this.folder}/${name}`, `${this.folder}/${name}.aside`);
    return name;
  }

  restore(): string {
    for (const name of this.#touched) {
      rmSync(`${this.folder}/${name}.aside`, { force: true });
      cpSync(`${this.#pristine}/${name}`, `${this.folder}/${name}`);
    }
    const restored = [...this.#touched].join(" ");
    this.#touched = new Set();
    return restored;
  }
}

/** What is done to the flake; says to which file. */
const KINDS: Readonly<Record<string, (copy: Copy) => string>> = {
  "a comment at the end": (copy) => copy.change(copy.file(".ts"), (text) => `${text}// ${copy.roll(1000)}\n`),
  "a line more at the beginning": (copy) => copy.change(copy.file(".ts"), (text) => `// moves all\n${text}`),
  "another number": (copy) =>
    copy.changeOne(copy.file(".ts"), /(?<![\w.-])\d+(?![\w.-])/g, (found) => String(Number(found) + 1 + copy.roll(9))),
  "another text": (copy) =>
    copy.changeOne(copy.file(".ts"), /(?<=")[a-z][\w ]*(?=")/g, (found) => `${found}${copy.roll(10)}`),
  "another word": (copy) => copy.changeOne(copy.file(".ts"), /\b[a-z]\w{3,}\b/g, (found) => `${found}${copy.roll(10)}`),
  "a line less": (copy) => copy.changeLines(copy.file(), (lines, at) => void lines.splice(at, 1)),
  "a line twice": (copy) => copy.changeLines(copy.file(), (lines, at) => lines.splice(at, 0, lines[at] as string)),
  "two lines that change places": (copy) =>
    copy.changeLines(copy.file(".ts"), (lines, at) => lines.splice(at, 0, ...lines.splice(at + 1, 1))),
  "a file that is gone": (copy) => copy.moveAside(copy.file()),
  "equal bytes in a new file": (copy) => copy.change(copy.file(), (text) => text),
  "an option more": (copy) =>
    copy.changeOne(
      copy.file(".ts"),
      /(?<=declare\("[\w.]+", \{\n)/g,
      () => `  o${copy.roll(1000)}: option.int({ default: ${copy.roll(9)}, description: "More." }),\n`,
    ),
  "an option of the machine": (copy) =>
    copy.changeOne(
      CONFIG,
      /(?<=config: \{\n)/g,
      () =>
        `${copy.pick([
          `networking: { hostName: "h${copy.roll(9)}" },`,
          `environment: { etc: { e${copy.roll(9)}: { text: "${copy.roll(9)}" } } },`,
          `time: { timeZone: 7 as never },`,
          `systemd: { services: { s${copy.roll(9)}: { script: "exit ${copy.roll(9)}" } } },`,
          "misspelt: true,",
        ])}\n`,
    ),
  "another version of a package": (copy) =>
    copy.changeOne(copy.file("package.ts"), /(?<=version: ")[\d.]+(?=")/g, (found) => `${found}.${copy.roll(9)}`),
};

/** What came of the questions that were asked. */
interface Tally {
  recorded: number;
  made: number;
  /** Answered by a process that stood ready. */
  ready: number;
}

/** @param ready Whether each question leaves a process for the next one. */
async function editOne(seed: number, edits: number, { tally, ready }: { tally: Tally; ready: boolean }): Promise<void> {
  const outer = makeFolder({});
  const copy = new Copy(`${outer}/flake`, seed);
  const open = (records: string): Promise<OpenFlake> =>
    openFlake({
      reference: copy.folder,
      cwd: "/",
      store,
      records: `${outer}/${records}`,
      memory: false,
      offline: true,
    });
  const ask = async (records: string): Promise<{ text: string; recorded: boolean; made: boolean }> => {
    try {
      const flake = await open(records);
      const result = await flake.evaluate({ attribute: "systems.web" });
      const names = result.filesRead.flatMap(({ path }) =>
        path.startsWith(`${copy.folder}/`) ? [path.slice(copy.folder.length + 1)] : [],
      );
      copy.read = names.filter((name) => /^(?:modules|pkgs)\//.test(name));
      return { text: told(result), recorded: result.fromRecord, made: true };
    } catch (error) {
      return { text: toldError(error), recorded: false, made: false };
    }
  };
  const history: string[] = [];
  const edit = async (kind: string): Promise<void> => {
    if (kind !== "the input, moved") return void history.push(`${kind}: ${KINDS[kind]?.(copy)}`);
    copy.change("vm-tests/pages/index.html", (text) => text.replace(/<title>\w*/, `<title>Floe${copy.roll(9)}`));
    const { changes } = await (await open("kept")).relock({ update: ["pages"] });
    history.push(`${kind}: ${changes.length}`);
  };
  for (let i = 0, made = false; i < edits; i++) {
    // A fault that stays would hide all that follows, and many edits of one file are seldom one that is well.
    if (!made || i % 4 === 3) history.push(`all as it was: ${copy.restore()}`);
    if (i > 0) await edit(copy.pick([...Object.keys(KINDS), "the input, moved"]));
    const early = ready ? new WatchedStart(outer, "a command", 60) : undefined;
    early?.begin();
    offerEarlyStart(early);
    const incremental = await ask("kept");
    early?.leave();
    for (const name of existsSync(`${outer}/fresh`) ? readdirSync(`${outer}/fresh`) : [])
      if (name.endsWith(".json")) rmSync(`${outer}/fresh/${name}`);
    const fresh = await ask("fresh");
    assert.not.ok(fresh.recorded);
    assert.is(incremental.text, fresh.text, `after ${JSON.stringify(history.slice(-6))}; repeat with SEED=${SEED}`);
    made = fresh.made;
    tally.recorded += Number(incremental.recorded);
    tally.made += Number(made);
    tally.ready += Number(early?.taken?.isSpare === true);
  }
}

test(`openFlake() answers what a fresh evaluation of a copy of this flake does, after each of ${EDITS} edits (SEED=${SEED})`, async () => {
  const tally: Tally = { recorded: 0, made: 0, ready: 0 };
  const each = Math.ceil(EDITS / COPIES);
  // One after the other: what a command has begun is for the next question, whoever asks it.
  for (const [i, ready] of [false, canBeReady].entries()) await editOne(SEED + i * 7919, each, { tally, ready });
  assert.ok(tally.recorded > 0 && tally.made > 0 && tally.ready > 0 === canBeReady, JSON.stringify(tally));
});

test.run();

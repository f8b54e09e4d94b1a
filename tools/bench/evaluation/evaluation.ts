import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { hashBytes, utf8 } from "../../../core/base/index.ts";
import type { BuildBench } from "../../../core/host/builder/testdata/build-bench.ts";
import { dumpFileNar, type StorePath } from "../../../core/store/index.ts";
import { compare, type Contender, median, runQuietly, showMs } from "../measure.ts";
import { FLOE } from "../no-op.ts";
import { editModule, editPackage, writeImports, writeModules, writePackages } from "./generated.ts";
import { peakOfEvaluator } from "./peak-memory.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const ROUNDS = 7;
const EDITED = "flake.config.ts";

/** How many modules the bounds are for that the project set itself. */
const JUDGED = 1000;
const MOST_OF_NIX = 0.5;
const MOST_MS = 1500;

/** How long a process that stands ready is given to get there. */
const READY_MS = 2_000;

/** What is kept of evaluations, and what settings say of them, lies in a folder of the bench, not in the user's. */
async function withOwnCache(directory: string, run: (forget: () => void) => Promise<void>): Promise<void> {
  const own: Readonly<Record<string, string>> = {
    XDG_CACHE_HOME: `${directory}/cache`,
    XDG_CONFIG_HOME: `${directory}/config`,
  };
  const before = Object.keys(own).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, own);
  const forget = (): void => rmSync(`${directory}/cache`, { recursive: true, force: true });
  try {
    await run(forget);
  } finally {
    // Which ends a process that stands ready.
    forget();
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  }
}

/** Whether a process stands ready after each command, as it does for who gives them at a terminal. */
function letStay(directory: string, stays: boolean): void {
  mkdirSync(`${directory}/config/floe`, { recursive: true });
  writeFileSync(`${directory}/config/floe/settings.json`, JSON.stringify({ evaluatorStays: stays ? 600 : 0 }));
}

/**
 * The system `web` of this repository, asked in a copy of it: unchanged, after an edit of one line that changes the system (in a run
 * that nobody watches, and at a terminal), and with nothing known from before. Real Nix has no equal of it; the bounds are those the project set itself.
 */
export async function benchEvaluateSystem({ directory, store }: BuildBench): Promise<void> {
  const flake = `${directory}/repository`;
  copyRepository(flake);
  const evaluate = (): Promise<string> =>
    runQuietly(FLOE, ["eval", ".#systems.web", "--store", store.root, "--json"], flake);
  const build = (): Promise<string> =>
    runQuietly(FLOE, ["system", "build", ".#web", "--store", store.root, "--no-link"], flake);
  const text = readFileSync(`${flake}/${EDITED}`, "utf8");
  const edit = (round: number): void =>
    writeFileSync(
      `${flake}/${EDITED}`,
      text.replace("config: {\n", `config: {\n        networking: { hostName: "web-${round}" },\n`),
    );
  await withOwnCache(directory, async (forget) => {
    const { outPath, drvPath } = JSON.parse(await evaluate()) as { outPath: StorePath; drvPath: StorePath };
    // Not built, for that takes hours: any file in its place is as valid.
    const nar = dumpFileNar(utf8("a system"));
    const narHash = hashBytes("sha256", nar);
    const info = { path: outPath, narHash, narSize: nar.length, references: [], deriver: drvPath, signatures: [] };
    await store.importNar(info, [nar] as unknown as AsyncIterable<Uint8Array>);
    await report("floe system build .#web, unchanged", 150, () => {}, build);
    await report("floe eval .#systems.web, after an edit of one line, as in CI", undefined, edit, evaluate);
    letStay(directory, true);
    const editCalmly = async (round: number): Promise<void> => {
      await sleep(READY_MS);
      edit(round + ROUNDS + 1);
    };
    await report("floe eval .#systems.web, after an edit of one line, at a terminal", 300, editCalmly, evaluate);
    letStay(directory, false);
    await report("floe eval .#systems.web, nothing known", 1000, forget, evaluate);
    forget();
    const peak = await peakOfEvaluator(evaluate);
    console.log(`  memory of the evaluator  ${peak.toFixed(0)} MiB`);
    judge(peak * 1.048576 < 300, "below 300 MB");
  });
}

const OUR_FLAKE = `import { derivation } from "#floe/derivation";
import { defineFlake } from "#floe/flake";

const one = derivation({ name: "one", system: "x86_64-linux", builder: "/bin/sh", args: ["-c", "echo one > $out"] });

export default defineFlake({ outputs: () => ({ packages: { "x86_64-linux": { one } } }) });
`;
const THEIR_FLAKE = `{
  outputs = _: {
    packages.x86_64-linux.one = derivation { name = "one"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "echo one > $out" ]; };
  };
}
`;

/**
 * Small questions: to a flake of one derivation, beside real Nix with an equal one, unchanged and after an edit; and to this repository,
 * which real Nix has no equal of, once they are known.
 */
export async function benchAsking({ directory, store }: BuildBench): Promise<void> {
  const flake = `${directory}/asked`;
  mkdirSync(flake, { recursive: true });
  const write = (round: number): void => {
    writeFileSync(`${flake}/flake.config.ts`, `${OUR_FLAKE}// ${round}\n`);
    writeFileSync(`${flake}/flake.nix`, `${THEIR_FLAKE}# ${round}\n`);
  };
  const attribute = "packages.x86_64-linux.one.drvPath";
  const ours = (): Promise<string> =>
    runQuietly(FLOE, ["eval", `.#${attribute}`, "--store", store.root, "--raw"], flake);
  const features = ["--extra-experimental-features", "nix-command flakes"];
  const theirs = (): Promise<string> =>
    runQuietly("nix", ["eval", ...features, "--store", store.root, "--raw", `path:${flake}#${attribute}`], flake);
  await withOwnCache(directory, async () => {
    write(0);
    if ((await ours()) !== (await theirs())) console.log("the derivations differ");
    const contenders = {
      ours: { name: "floe eval", run: () => ours().then(() => {}) },
      theirs: { name: "nix eval", run: () => theirs().then(() => {}) },
    };
    await compare({ title: "a path of a small flake, unchanged", rounds: 11, ...contenders });
    const edited = (contender: Contender): Contender => ({ ...contender, prepare: (round) => write(round + 1) });
    await compare({
      title: "a path of a small flake, after an edit",
      rounds: 11,
      ours: edited(contenders.ours),
      theirs: edited(contenders.theirs),
    });
    const repository = `${directory}/repository`;
    copyRepository(repository);
    const ask = (...words: string[]) => runQuietly(FLOE, [...words, "--store", store.root], repository);
    await report(
      "floe search hello, known",
      100,
      () => {},
      () => ask("search", "hello"),
    );
    await report(
      "floe option show, known",
      100,
      () => {},
      () => ask("option", "show", "networking.hostName", "--flake", ".#web"),
    );
  });
}

async function report(
  title: string,
  boundMs: number | undefined,
  prepare: (round: number) => void | Promise<void>,
  run: () => Promise<unknown>,
): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    await prepare(round);
    const started = performance.now();
    await run();
    if (round > 0) times.push(performance.now() - started);
  }
  console.log(`${title} (median of ${ROUNDS} runs)`);
  console.log(`  ${showMs(median(times))}  (${showMs(Math.min(...times))} … ${showMs(Math.max(...times))})`);
  if (boundMs !== undefined) judge(median(times) < boundMs, `below ${showMs(boundMs)}`);
}

/** Say whether a bound that the project set itself is met; the program ends with 1 when one is not. */
function judge(isMet: boolean, bound: string): void {
  console.log(`  ${isMet ? "as it should be" : "MISSED"}: ${bound}`);
  if (!isMet) process.exitCode = 1;
}

function copyRepository(target: string): void {
  const git = (folder: string, ...args: string[]): string =>
    execFileSync("git", args, { cwd: folder, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  for (const file of git(ROOT, "ls-files", "-z").split("\0")) {
    if (file === "") continue;
    mkdirSync(dirname(`${target}/${file}`), { recursive: true });
    cpSync(`${ROOT}/${file}`, `${target}/${file}`, { verbatimSymlinks: true });
  }
  git(target, "init", "--quiet");
  git(target, "add", "--all");
}

/**
 * Generated modules in growing number, and the same with Nix and a module library of the bench's own: with nothing known, and after an
 * edit of one module (in a run that nobody watches, and at a terminal, where Nix is given the same pause). Beside it, as a yardstick,
 * what Node by its own loader needs to import as many files.
 */
export async function benchEvaluateModules({ directory, store }: BuildBench): Promise<void> {
  await withOwnCache(directory, async (forget) => {
    for (const [count, rounds] of [
      [100, 5],
      [1000, 5],
      [5000, 1],
    ] as const) {
      const folder = `${directory}/modules-${count}`;
      writeModules(folder, count);
      const ours = (): Promise<string> => runQuietly(FLOE, ["eval", ".#all", "--store", store.root, "--json"], folder);
      const theirs = (): Promise<string> =>
        runQuietly(
          "nix-instantiate",
          ["--store", store.root, "--eval", "--strict", "--json", "-A", "all", "."],
          folder,
        );
      const same = canonical(await ours()) === canonical(await theirs());
      if (!same) console.log("the configurations differ");
      const fresh = await compare({
        title: `${count} modules of 20 options, ${count * 5} reads of each other`,
        rounds,
        ours: { name: "floe eval", prepare: forget, run: () => ours().then(() => {}) },
        theirs: { name: "nix-instantiate", run: () => theirs().then(() => {}) },
      });
      const imports = writeImports(`${directory}/imports-${count}`, count);
      await compare({
        title: `${count} modules imported by Node alone, as JavaScript, and nothing evaluated`,
        rounds,
        ours: { name: "node", run: () => runQuietly(process.execPath, [imports], folder).then(() => {}) },
        theirs: { name: "nix-instantiate", run: () => theirs().then(() => {}) },
      });
      const edited = { prepare: (round: number) => editModule(folder, round + 1) };
      await compare({
        title: `${count} modules, after an edit of one of them, as in CI`,
        rounds,
        ours: { name: "floe eval", ...edited, run: () => ours().then(() => {}) },
        theirs: { name: "nix-instantiate", ...edited, run: () => theirs().then(() => {}) },
      });
      letStay(directory, true);
      // The first one leaves a process for those that follow.
      editModule(folder, rounds + 2);
      await ours();
      const calmly = {
        prepare: async (round: number) => {
          await sleep(READY_MS + count);
          editModule(folder, rounds + 3 + round);
        },
      };
      const calm = await compare({
        title: `${count} modules, after an edit of one of them, at a terminal`,
        rounds: Math.max(3, rounds),
        ours: { name: "floe eval", ...calmly, run: () => ours().then(() => {}) },
        theirs: { name: "nix-instantiate", ...calmly, run: () => theirs().then(() => {}) },
      });
      letStay(directory, false);
      if (count !== JUDGED) continue;
      judge(calm.ratio < MOST_OF_NIX, `below ${MOST_OF_NIX} of nix-instantiate after an edit, at a terminal`);
      judge(fresh.ratio < MOST_OF_NIX, `below ${MOST_OF_NIX} of nix-instantiate with nothing known`);
      judge(fresh.ourMs < MOST_MS, `below ${showMs(MOST_MS)} with nothing known`);
    }
  });
}

/**
 * One package of a set, as sets grow that load the file of a package once it is asked for, beside Nix with an equal set: with nothing known,
 * after an edit of it (in a run that nobody watches), and after an edit of one that it has no use for.
 */
export async function benchEvaluatePackages({ directory, store }: BuildBench): Promise<void> {
  await withOwnCache(directory, async (forget) => {
    for (const count of [100, 1000, 10_000]) {
      const folder = `${directory}/packages-${count}`;
      const name = writePackages(folder, count);
      const ours = (): Promise<string> =>
        runQuietly(FLOE, ["eval", `.#${name}.drvPath`, "--store", store.root, "--json"], folder);
      const theirs = (): Promise<string> =>
        runQuietly(
          "nix-instantiate",
          ["--store", store.root, "--eval", "--json", "-A", `${name}.drvPath`, "."],
          folder,
        );
      if (canonical(await ours()) !== canonical(await theirs())) console.log("the derivations differ");
      const contenders = {
        ours: { name: "floe eval", run: () => ours().then(() => {}) },
        theirs: { name: "nix-instantiate", run: () => theirs().then(() => {}) },
      };
      const edited = (number: number) => (contender: Contender) => ({
        ...contender,
        prepare: (round: number) => editPackage(folder, number, round + 1),
      });
      const unused = edited(count - 2);
      const asked = edited(count - 1);
      const title = `a package of ${count}`;
      await compare({
        title: `${title}, nothing known`,
        rounds: 7,
        ...contenders,
        ours: { ...contenders.ours, prepare: forget },
      });
      await compare({
        title: `${title}, after an edit of another`,
        rounds: 7,
        ours: unused(contenders.ours),
        theirs: unused(contenders.theirs),
      });
      await compare({
        title: `${title}, after an edit of it, as in CI`,
        rounds: 7,
        ours: asked(contenders.ours),
        theirs: asked(contenders.theirs),
      });
    }
  });
}

/** JSON with its keys in order. */
function canonical(text: string): string {
  return JSON.stringify(JSON.parse(text), (_key, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

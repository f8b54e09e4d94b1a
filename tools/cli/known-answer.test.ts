import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findEngine, isBundleCurrent } from "../../core/host/evaluator/index.ts";
import { writeFiles } from "../../core/host/evaluator/testing.ts";
import { placeOfAnswer } from "./known-answer.ts";
import { writeFlake } from "./testing-flake.ts";
import { type CliResult, runFloe, temporaryDirectory } from "./testing.ts";

const test = suite("known answers");
/** From the sources nothing is known beforehand. */
const testBundle = isBundleCurrent() ? test : test.skip;

interface World {
  readonly folder: string;
  readonly run: (...words: string[]) => Promise<CliResult>;
  /** Run a command of which it shall be known whether it is answered without being loaded. */
  readonly isKnown: (...words: string[]) => Promise<readonly [known: boolean, stdout: string]>;
}

function makeWorld(): World {
  const outer = temporaryDirectory();
  const folder = join(outer, "flake");
  mkdirSync(folder);
  writeFiles(folder, { "name.ts": 'export const name = "one";\n' });
  writeFlake(folder, 'one: shell(name, "echo one > $out")');
  const config = join(folder, "flake.config.ts");
  writeFileSync(config, `import { name } from "./name.ts";\n${readFileSync(config, "utf8")}`);
  const env = { XDG_CACHE_HOME: join(outer, "cache") };
  const store = join(outer, "store");
  const run = (...words: string[]): Promise<CliResult> => runFloe([...words, "--store", store], { cwd: folder, env });
  const records = join(outer, "cache/floe/evaluations");
  return {
    folder,
    run,
    async isKnown(...words) {
      // Who evaluates keeps a record.
      rmSync(records, { recursive: true, force: true });
      const { stdout, code, stderr } = await run(...words);
      assert.is(code, 0, stderr);
      return [!existsSync(records), stdout];
    },
  };
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150));

testBundle("a command is answered from what is known while nothing changes, and no longer", async () => {
  const { folder, run, isKnown } = makeWorld();
  await pause();
  const words = ["eval", ".#packages.x86_64-linux.one.name", "--raw"];
  for (let i = 0; i < 2; i++) assert.is((await run(...words)).stdout, "one");
  assert.equal(await isKnown(...words), [true, "one"]);
  writeFileSync(join(folder, "name.ts"), 'export const name = "two";\n');
  assert.equal(await isKnown(...words), [false, "two"]);
  assert.is((await run(...words.slice(0, 2))).stdout, '"two"\n', "another question");
});

testBundle(
  "what is begun before the program is loaded answers for files as they are, and is of one command",
  async () => {
    const { folder, run } = makeWorld();
    const words = ["eval", ".#packages.x86_64-linux.one.name", "--raw"];
    assert.is((await run(...words)).stdout, "one");
    const questions = join(folder, "../cache/floe/questions");
    const begun = (): string[] => readdirSync(questions).sort();
    const [first] = begun();
    assert.ok(first);
    writeFileSync(join(folder, "name.ts"), 'export const name = "two";\n');
    assert.is((await run(...words)).stdout, "two");
    writeFileSync(join(folder, "name.ts"), 'export { name } from "./other.ts";\n');
    assert.is((await run(...words)).code, 1);
    writeFiles(folder, { "other.ts": 'export const name = "three";\n' });
    assert.is((await run(...words)).stdout, "three");
    writeFileSync(join(questions, first), "cut short");
    writeFiles(folder, { "other.ts": 'export const name = "four";\n' });
    assert.is((await run(...words)).stdout, "four");
    assert.equal(begun(), [first], "one command, one question");
    writeFiles(folder, { "other.ts": 'export const name = "five";\n' });
    assert.is((await run(...words.slice(0, 2))).stdout, '"five"\n');
    assert.is(begun().length, 2);
  },
);

testBundle("a build is known while its result is in the store and linked", async () => {
  const { folder, run, isKnown } = makeWorld();
  const words = ["build", ".#one", "--print-out-paths"];
  await pause();
  const { stdout, code, stderr } = await run(...words);
  assert.is(code, 0, stderr);
  // The link is new, and so is the folder's time.
  await pause();
  await run(...words);
  await pause();
  await run(...words);
  assert.equal(await isKnown(...words), [true, stdout]);
  rmSync(join(folder, "result"));
  assert.equal(await isKnown(...words), [false, stdout]);
  assert.ok(existsSync(join(folder, "..", "store", stdout.trim())));
  assert.ok(readdirSync(folder).includes("result"));
  for (let i = 0; i < 3; i++) {
    await pause();
    await run(...words);
  }
  assert.equal(await isKnown(...words), [true, stdout]);
  rmSync(join(folder, "result"));
  assert.is((await run("store", "delete", stdout.trim())).code, 0);
  assert.equal(await isKnown(...words), [false, stdout], "built again");
});

testBundle("what is said to people is said each time", async () => {
  const { run } = makeWorld();
  await pause();
  for (let i = 0; i < 3; i++) {
    const { code, stderr } = await run("search", "nothing-has-this-name");
    assert.is(code, 1);
    assert.match(stderr, "No package has these words.");
  }
});

test("placeOfAnswer() depends on words, folder, environment and program", () => {
  const entry = join(findEngine(), "package.json");
  const key = (words: readonly string[]): string | undefined => placeOfAnswer({ words, entry })?.key;
  const before = key(["eval"]);
  assert.is(key(["eval"]), before);
  assert.is.not(key(["eval", "x"]), before);
  const path = process.env["PATH"];
  process.env["PATH"] = `${path}:/other`;
  assert.is.not(key(["eval"]), before);
  process.env["PATH"] = path;
  process.env["SHLVL"] = "7";
  assert.is(key(["eval"]), before);
  process.env["GIT_CONFIG_COUNT"] = "0";
  assert.is(key(["eval"]), undefined, "another git");
  delete process.env["GIT_CONFIG_COUNT"];
  const cwd = process.cwd();
  process.chdir("/");
  assert.is.not(key(["eval"]), before);
  process.chdir(cwd);
  assert.is(placeOfAnswer({ words: [], entry: "/nowhere" }), undefined);
});

test.run();

import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../../../../vm-tests/qemu-wrapper/testing.ts";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";
import { writeStories, writeStory } from "./testing-stories.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const directory = temporaryDirectory();
const flake = join(directory, "flake");
const env = {
  XDG_CACHE_HOME: join(directory, "cache"),
  XDG_STATE_HOME: join(directory, "state"),
  GITHUB_ACTIONS: undefined,
};
const WANTED = `await step("it is as wanted", () => assert.equal(1 + 1, wanted));`;

writeStories(flake, { one: WANTED, two: `note("nothing");` }, { one: ["quick"] });

function list(...words: string[]) {
  return runFloe(["vm-test", "list", ...words], { cwd: flake, env });
}

const namesIn = (text: string): string[] => (JSON.parse(text) as { name: string }[]).map(({ name }) => name);

test("list chooses by names, tags and platforms", async () => {
  for (const [words, names] of [
    [["o*"], ["one"]],
    [["--tag", "quick", "--tag", "slow"], ["one"]],
    [["--platform", "aarch64-linux"], []],
  ] as const) {
    const { stdout, stderr } = await list(...words, "--json");
    assert.equal(namesIn(stdout), names, stderr);
  }
  assert.match((await list("--tag", "none")).stderr, "no vmTests fit");
  const typo = await list("onne");
  assert.is(typo.code, 1);
  assert.match(typo.stderr, "[vm-test.no-match]");
});

test("list --changed-since names tests that are others than at a revision, and no others", async () => {
  const changed = async (): Promise<string[]> => {
    const { stdout, stderr, code } = await list("--changed-since", "HEAD", "--json");
    assert.is(code, 0, stderr);
    return namesIn(stdout);
  };
  assert.equal(await changed(), []);
  // What a story does not load changes nothing, and neither does what a test says of itself.
  writeFileSync(join(flake, "unused.ts"), "export {};\n");
  assert.equal(await changed(), []);
  writeStory(flake, "two", `note("something else");`);
  assert.equal(await changed(), ["two"]);
  writeStory(flake, "two", `note("nothing");`);
  // Another system, with the same stories.
  writeFileSync(join(flake, "disk"), Buffer.alloc(1 << 16, 1));
  assert.equal(await changed(), ["one", "two"]);
  writeFileSync(join(flake, "disk"), Buffer.alloc(1 << 16));
  const unknown = await list("--changed-since", "no-such-branch");
  assert.match(unknown.stderr, "[git.unknown-revision]");
  const outside = join(directory, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "flake.config.ts"), `export default { outputs: () => ({ vmTests: {} }) };\n`);
  const refused = await list("--flake", outside, "--changed-since", "HEAD");
  assert.match(refused.stderr, "[vm-test.no-repository]");
});

withQemu("run --watch runs again what has changed, with its files as they are now", async () => {
  const words = ["vm-test", "run", "--direct", "--accel", "tcg", "--watch", "--store", join(directory, "store")];
  const child = spawn(process.execPath, [...floeCommand(), ...words, "--output", join(directory, "watched")], {
    cwd: flake,
    env: { ...process.env, ...env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let said = "";
  let results = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => (results += text));
  /** What it tells until it waits once more. */
  const next = async (): Promise<string[]> => {
    for (let waited = 0; !said.includes("waiting for changes"); waited += 50) {
      assert.ok(waited < 60_000, said);
      await sleep(50);
    }
    const told = results.split("\n").flatMap((line) => /^(passed|failed) (\w+)/.exec(line)?.slice(1).join(" ") ?? []);
    [said, results] = ["", ""];
    return told.sort();
  };
  try {
    assert.equal(await next(), ["passed one", "passed two"]);
    writeFileSync(join(flake, "unused.ts"), "export const more = 1;\n");
    assert.equal(await next(), []);
    // A file that a story imports, and one whose own words are wrong at first.
    writeFileSync(join(flake, "wanted.ts"), "export const wanted = 3;\n");
    assert.equal(await next(), ["failed one", "passed two"]);
    writeStory(flake, "one", "await step(");
    assert.equal(await next(), []);
    writeStory(flake, "one", `await step("other words", () => assert.equal(3, wanted));`);
    assert.equal(await next(), ["passed one"]);
  } finally {
    child.kill("SIGINT");
    assert.is(await ended, 130);
    rmSync(join(flake, "unused.ts"));
  }
});

test.run();

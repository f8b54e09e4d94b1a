import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const FLAKE = `import { defineFlake } from "#floe/flake";
import { derivation } from "#floe/derivation";
export default defineFlake({
  description: "A test",
  inputs: { pages: { url: "path:./pages", flake: false } },
  outputs({ inputs }) {
    return {
      packages: { "x86_64-linux": {
        get hello() { return derivation({ name: "hello", system: "x86_64-linux", builder: "/bin/sh", env: { pages: inputs.pages } }); },
        get broken() { throw new Error("broken on purpose"); },
      }, "riscv64-linux": { get hello() { return 1 as never; } } },
      text: "a line\\n",
      many: [1, 2],
    };
  },
});
`;

function makeFlake(): { cwd: string; run: (...words: string[]) => ReturnType<typeof runFloe> } {
  const cwd = temporaryDirectory();
  mkdirSync(`${cwd}/pages`);
  writeFileSync(`${cwd}/pages/index.html`, "one");
  writeFileSync(`${cwd}/flake.config.ts`, FLAKE);
  const store = temporaryDirectory();
  const run = (...words: string[]) => runFloe([...words, "--store", store], { cwd, env: { XDG_CACHE_HOME: store } });
  return { cwd, run };
}

test("floe flake lock writes what is missing, and is silent when nothing is", async () => {
  const { cwd, run } = makeFlake();
  const first = await run("flake", "lock");
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stdout, /^added pages: path:\.\/pages sha256-.* \(\d{4}-\d\d-\d\d\)\n$/);
  assert.match(first.stderr, `Wrote ${cwd}/lock.json`);
  const second = await run("flake", "lock");
  assert.equal([second.code, second.stdout], [0, ""]);
});

test("floe flake update prints old and new with dates, and refuses what is no input", async () => {
  const { cwd, run } = makeFlake();
  await run("flake", "lock");
  writeFileSync(`${cwd}/pages/index.html`, "two");
  const { stdout } = await run("flake", "update", "pages");
  assert.match(
    stdout,
    /^updated pages:\n {2}path:\.\/pages sha256-\S+ \([-\d]+\)\n→ path:\.\/pages sha256-\S+ \([-\d]+\)\n$/,
  );
  const wrong = await run("flake", "update", "page");
  assert.is(wrong.code, 1);
  assert.match(wrong.stderr, 'Did you mean "pages"?');
});

test("floe flake lock --locked fails on a lock that does not fit", async () => {
  const { run } = makeFlake();
  const { code, stderr } = await run("flake", "lock", "--locked");
  assert.is(code, 1);
  assert.match(stderr, "[flake.lock-stale]");
  assert.match(stderr, "floe flake lock");
});

test("floe flake lock --locked finds this repository's own lock in order", async () => {
  const root = fileURLToPath(new URL("../../../..", import.meta.url));
  const store = temporaryDirectory();
  const { code, stderr } = await runFloe(["flake", "lock", "--locked", "--flake", root, "--store", store]);
  assert.is(code, 0, stderr);
});

test("floe flake metadata tells the inputs, for people and as JSON", async () => {
  const { cwd, run } = makeFlake();
  const { stdout } = await run("flake", "metadata");
  assert.match(stdout, "Description: A test");
  assert.match(stdout, "└── pages: path:./pages");
  const { directory, inputs, nodes } = JSON.parse((await run("flake", "metadata", "--json")).stdout);
  assert.is(directory, cwd);
  assert.equal(inputs, { pages: "pages" });
  assert.match(nodes.pages.storePath, /^\/nix\/store\/.{32}-source$/);
});

test("floe flake show tells outputs, also beside one that is broken", async () => {
  const { run } = makeFlake();
  const { code, stdout } = await run("flake", "show");
  assert.is(code, 0);
  assert.match(stdout, 'hello: package "hello"');
  assert.match(
    stdout,
    'broken: does not evaluate: Cannot evaluate "packages.x86_64-linux.broken": Error: broken on purpose',
  );
});

test("floe flake show --json tells the same; outputs of other platforms are left out", async () => {
  const { run } = makeFlake();
  const { packages, many } = JSON.parse((await run("flake", "show", "--json")).stdout);
  assert.equal(packages["x86_64-linux"].hello, { type: "package", name: "hello" });
  assert.is(packages["x86_64-linux"].broken.type, "error");
  assert.equal(packages["riscv64-linux"], { hello: { type: "omitted" } });
  assert.equal(many, { type: "unknown", name: "a list" });
  const all = JSON.parse((await run("flake", "show", "--json", "--all-platforms")).stdout);
  assert.match(all.packages["riscv64-linux"].hello.message, "found a number, expected a package");
});

test("floe eval prints values as JSON, raw, or as names", async () => {
  const { run } = makeFlake();
  assert.is((await run("eval", ".#text")).stdout, '"a line\\n"\n');
  assert.is((await run("eval", "--raw", ".#text")).stdout, "a line\n");
  assert.equal(JSON.parse((await run("eval", "--json", ".#many")).stdout), [1, 2]);
  assert.is((await run("eval", "--names", ".#packages.x86_64-linux")).stdout, "broken\nhello\n");
  assert.match((await run("eval", "--raw", ".#hello")).stdout, /^\/nix\/store\/.{32}-hello$/);
  const list = await run("eval", "--raw", ".#many");
  assert.match(list.stderr, "[eval.not-text]");
});

test("floe eval --write-to makes files of texts, all of them or none", async () => {
  const { cwd, run } = makeFlake();
  const write = (value: string) => run("eval", "--expr", value, "--write-to", "made");
  await run("flake", "lock");
  assert.equal(await write('({ "a.txt": "a", inner: { b: "b\\n" }, pkg: packages["x86_64-linux"].hello })'), {
    code: 0,
    stdout: "",
    stderr: "",
  });
  assert.is(readFileSync(join(cwd, "made/a.txt"), "utf8"), "a");
  assert.is(readFileSync(join(cwd, "made/inner/b"), "utf8"), "b\n");
  assert.match(readFileSync(join(cwd, "made/pkg"), "utf8"), /^\/nix\/store\/.{32}-hello$/);
  assert.match((await write('"other"')).stderr, "[eval.in-the-way]");
  rmSync(join(cwd, "made"), { recursive: true });
  assert.match((await write('({ a: "a", b: { c: [1] } })')).stderr, 'found a list at "b.c", expected texts');
  assert.match((await write('({ a: "a", "../b": "b" })')).stderr, "[eval.no-file-name]");
  assert.equal(
    readdirSync(cwd).filter((name) => name.startsWith("made")),
    [],
  );
  assert.is((await write('"alone"')).code, 0);
  assert.is(readFileSync(join(cwd, "made"), "utf8"), "alone");
});

test("floe eval begins an error with the place in the configuration, and fits a screen", async () => {
  const { run } = makeFlake();
  const { code, stderr } = await run("eval", ".#broken");
  assert.is(code, 1);
  const lines = stderr.split("\n").filter((line) => line.includes("error:"));
  assert.match(
    lines[0] as string,
    /^flake\.config\.ts:10:\d+: error: Cannot evaluate "broken": Error: broken on purpose/,
  );
  assert.ok(stderr.split("\n").length < 24);
  assert.not.match(stderr, "core/host");
});

test("floe eval of a store path is refused", async () => {
  const { code, stderr } = await runFloe(["eval", `/nix/store/${"0".repeat(32)}-a`]);
  assert.is(code, 1);
  assert.match(stderr, "[eval.not-a-flake]");
});

test("floe flake lock --commit-lock-file commits the lock alone", async () => {
  const { cwd, run } = makeFlake();
  const git = (...args: string[]): string => execFileSync("git", args, { cwd, encoding: "utf8" });
  git("init", "--quiet", "--initial-branch", "main");
  for (const [key, value] of [
    ["user.name", "a"],
    ["user.email", "a@example.org"],
  ] as const)
    git("config", key, value);
  git("add", "--all");
  git("commit", "--quiet", "--message", "first");
  writeFileSync(`${cwd}/other`, "");
  git("add", "other");
  const { code, stderr } = await run("flake", "lock", "--commit-lock-file");
  assert.is(code, 0, stderr);
  assert.is(git("show", "--name-only", "--format=%s", "HEAD").trim(), "lock.json: Update\n\nlock.json");
  assert.match(git("show", "--format=%b", "--no-patch", "HEAD"), "added pages");
  assert.match(readFileSync(`${cwd}/lock.json`, "utf8"), '"version": 1');
});

test.run();

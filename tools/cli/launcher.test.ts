import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { temporaryDirectory } from "./testing.ts";
import { VERSION } from "./version.ts";

const LAUNCHER = join(import.meta.dirname, "floe");

function launch(program: string, path: string) {
  const { status, stdout, stderr } = spawnSync(program, ["--version"], { encoding: "utf8", env: { PATH: path } });
  return { status, stdout, stderr };
}

/** A directory for PATH with these programs of the machine in it. */
function pathWith(directory: string, programs: Readonly<Record<string, string>>): string {
  mkdirSync(directory, { recursive: true });
  for (const [name, script] of Object.entries(programs)) {
    writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
  return directory;
}

test("the launcher finds its place through links, as npm and people make them", () => {
  const directory = temporaryDirectory();
  symlinkSync(LAUNCHER, join(directory, "absolute"));
  symlinkSync("absolute", join(directory, "tool"));
  const { status, stdout, stderr } = launch(join(directory, "tool"), "/usr/bin:/bin");
  assert.is(status, 0, stderr);
  assert.is(stdout, `${VERSION}\n`);
});

test("without node_modules and without Node the launcher says what to do", () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "house/tools/cli"), { recursive: true });
  const copy = join(directory, "house/tools/cli/floe");
  copyFileSync(LAUNCHER, copy);
  const none = launch(copy, pathWith(join(directory, "none"), {}));
  assert.is(none.status, 69);
  assert.match(
    none.stderr,
    /^error: Cannot start floe: .*\[floe\.no-node\]\n {2}hint: Run `npm run setup` in .*house\.\n$/,
  );
  const old = launch(copy, pathWith(join(directory, "old"), { node: "echo v18.20.8" }));
  assert.is(old.status, 69);
});

test("without node_modules the launcher takes a Node of the machine that is new enough", () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, "house/tools/cli"), { recursive: true });
  const copy = join(directory, "house/tools/cli/floe");
  copyFileSync(LAUNCHER, copy);
  const script = '[ "$1" = --version ] && { echo v24.1.0; exit; }; echo "ran $2"';
  const { status, stdout } = launch(copy, pathWith(join(directory, "new"), { node: script }));
  assert.is(status, 0);
  assert.is(stdout, `ran ${directory}/house/tools/cli/start.ts\n`);
});

test("a command as long as the machine takes reaches the program, and names of commands only those that have one", () => {
  const { run } = otherProgram('printf "%s %s" "$#" "${FLOE_COMMAND-none}"');
  const words = Array.from({ length: 2000 }, (_, i) => `${i}-${"a".repeat(90)}`);
  const { status, stdout, stderr } = run(words);
  assert.is(status, 0, stderr);
  assert.is(stdout, "2002 none");
});

test("where the folder of a process that stands ready has no pipes the launcher writes to nothing there", () => {
  const { run, folder } = otherProgram('printf "%s|%s" "$FLOE_COMMAND" "${FLOE_ASKED-none}"');
  const [name = ""] = run(["eval"]).stdout.split("|");
  const spare = join(folder, ".cache/floe/ready", name);
  mkdirSync(spare, { recursive: true });
  for (const file of ["question", "in", "leash", "err"]) writeFileSync(join(spare, file), "kept");
  assert.is(run(["eval"]).stdout, `${name}|none`);
  assert.equal(readdirSync(spare).sort(), ["err", "in", "leash", "question"]);
  for (const file of readdirSync(spare)) assert.is(readFileSync(join(spare, file), "utf8"), "kept");
});

/** The launcher in a folder of its own, which is the user's home as well, before a bundle that is run by this script. */
function otherProgram(script: string) {
  const folder = temporaryDirectory();
  mkdirSync(join(folder, "tools/cli"), { recursive: true });
  mkdirSync(join(folder, "dist"));
  writeFileSync(join(folder, "dist/floe.cjs"), "");
  copyFileSync(LAUNCHER, join(folder, "tools/cli/floe"));
  const path = pathWith(join(folder, "node_modules/.bin"), { node: `shift; ${script}` });
  const env = { PATH: `${path}:/usr/bin:/bin`, HOME: folder };
  const run = (words: readonly string[]) =>
    spawnSync(join(folder, "tools/cli/floe"), words, { encoding: "utf8", env, cwd: folder });
  return { folder, run };
}

test.run();

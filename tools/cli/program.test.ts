import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { NODE_FLAGS } from "./program-script.ts";
import { runFloe, temporaryDirectory } from "./testing.ts";
import { VERSION } from "./version.ts";

const firstLine = (text: string) => text.split("\n")[0];

test("floe --version prints the version on stdout", async () => {
  assert.equal(await runFloe(["--version"]), { code: 0, stdout: `${VERSION}\n`, stderr: "" });
});

test("a misspelt command is refused with the nearest one", async () => {
  const { code, stderr } = await runFloe(["hsah"]);
  assert.is(code, 64);
  assert.is(firstLine(stderr), 'error: Cannot run "hsah": there is no such command [cli.unknown-command]');
  assert.match(stderr, 'Did you mean "hash"?');
});

test("the floe of a machine says of commands that it does not have where they are", () => {
  const target = join(import.meta.dirname, "target.ts");
  const run = (...words: string[]) =>
    spawnSync(process.execPath, [...NODE_FLAGS, target, ...words], { encoding: "utf8", env: { NO_COLOR: "1" } });
  for (const words of [
    ["vm-test", "doctor"],
    ["system", "eval"],
  ]) {
    const { status, stderr } = run(...words);
    assert.is(status, 64);
    const missing = words[0] === "system" ? words[1] : words[0];
    assert.is(firstLine(stderr), `error: Cannot run "${missing}": there is no such command [cli.unknown-command]`);
    assert.match(stderr, "hint: This is the floe of a machine");
  }
  assert.match(run("sytem").stderr, 'Did you mean "system"?');
});

test("a misspelt flag is refused with the nearest one", async () => {
  const { code, stderr } = await runFloe(["hash", "file", "--tpye", "sha1", "x"]);
  assert.is(code, 64);
  assert.is(firstLine(stderr), 'error: Cannot use flag "--tpye": this command has no such flag [cli.unknown-flag]');
  assert.match(stderr, 'Did you mean "--type"?');
});

test("a value that a flag does not take is refused with those it takes", async () => {
  const { code, stderr } = await runFloe(["hash", "file", "--type", "sha3", "x"]);
  assert.is(code, 64);
  assert.match(firstLine(stderr) ?? "", /^error: Cannot use "sha3" for "--type": expected one of "md5", /);
});

test("a missing argument is refused", async () => {
  const { code, stderr } = await runFloe(["hash", "convert"]);
  assert.is(code, 64);
  assert.match(firstLine(stderr) ?? "", /^error: Cannot run the command: it needs an argument HASH/);
});

test("a missing file is an error that names it", async () => {
  const { code, stderr } = await runFloe(["hash", "file", "/nowhere/at-all"]);
  assert.is(code, 1);
  assert.is(firstLine(stderr), 'error: Cannot open "/nowhere/at-all": it does not exist [file.missing]');
});

test("floe hash file prints what Nix prints", async () => {
  const file = join(temporaryDirectory(), "file");
  writeFileSync(file, "hello\n");
  // Nix 2.8: printf 'hello\n' > file; nix-hash --type sha256 --flat --base32 file
  const { stdout } = await runFloe(["hash", "file", "--form", "base32", file]);
  assert.is(stdout, "00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq\n");
  const { stdout: hex } = await runFloe(["hash", "file", "--form", "base16", file]);
  // coreutils: printf 'hello\n' | sha256sum
  assert.is(hex, "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03\n");
});

test("the version of the program is the version of its package", () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "package.json"), "utf8")) as {
    version: string;
  };
  assert.is(VERSION, version);
});

test.run();

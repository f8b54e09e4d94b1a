import { spawnSync } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const NIX = ["--extra-experimental-features", "nix-command"];
const present = spawnSync("nix", ["--version"]).status === 0;
if (!present) console.log("skipped: nix is not on the PATH, so real Nix cannot be asked");
const referee = present ? test : test.skip;

test("floe key generate writes a key for its owner alone and prints the public one", async () => {
  const file = join(directory, "secret");
  const { code, stdout, stderr } = await runFloe(["key", "generate", "test-1", "--out", file]);
  assert.is(code, 0, stderr);
  assert.match(stdout, /^test-1:[A-Za-z0-9+/]{43}=\n$/);
  assert.is(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, "utf8"), /^test-1:[A-Za-z0-9+/]{86}==$/);
  const converted = await runFloe(["key", "convert", file]);
  assert.is(`${converted.stdout}\n`, stdout);
  const again = await runFloe(["key", "generate", "test-1", "--out", file]);
  assert.equal([again.code, again.stderr.includes("[key.exists]")], [1, true]);
});

test("floe key convert refuses what is no secret key", async () => {
  const file = join(directory, "wrong");
  writeFileSync(file, "test-1:AAAA");
  const { code, stderr } = await runFloe(["key", "convert", file]);
  assert.is(code, 1);
  assert.match(stderr, /^error: Cannot read a secret key: "test-1" has 3 bytes, expected 64 .*\[key\.malformed\]/);
});

referee("Nix and floe read each other's keys", async () => {
  const { stdout: ours } = await runFloe(["key", "generate", "ours-1"]);
  const toPublic = spawnSync("nix", [...NIX, "key", "convert-secret-to-public"], { input: ours, encoding: "utf8" });
  const file = join(directory, "ours");
  writeFileSync(file, ours);
  assert.is(toPublic.stdout, (await runFloe(["key", "convert", file])).stdout);
  const theirs = spawnSync("nix", [...NIX, "key", "generate-secret", "--key-name", "theirs-1"], { encoding: "utf8" });
  const theirFile = join(directory, "theirs");
  writeFileSync(theirFile, theirs.stdout);
  const theirPublic = spawnSync("nix", [...NIX, "key", "convert-secret-to-public"], {
    input: theirs.stdout,
    encoding: "utf8",
  });
  assert.is((await runFloe(["key", "convert", theirFile])).stdout, theirPublic.stdout);
});

test.run();

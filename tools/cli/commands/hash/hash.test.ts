import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const tree = join(directory, "tree");
mkdirSync(tree);
writeFileSync(join(tree, "tool"), "#!/bin/sh\n", { mode: 0o755 });
const file = join(tree, "tool");

const present = spawnSync("nix-hash", ["--version"]).status === 0;
const referee = present ? test : test.skip;
if (!present) console.log("skipped: nix-hash is not on the PATH, so real Nix cannot be asked");

function nix(program: string, ...args: string[]): string {
  const env = { ...process.env, NIX_CONFIG: "experimental-features = nix-command" };
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", env });
  assert.is(status, 0, stderr);
  return stdout;
}

async function floe(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runFloe(["hash", ...args]);
  assert.is(code, 0, stderr);
  return stdout;
}

referee("floe hash gives what nix-hash and nix hash give", async () => {
  for (const type of ["md5", "sha256", "sha512"])
    assert.is(await floe("path", "--type", type, "--base16", tree), nix("nix-hash", "--type", type, tree));
  assert.is(await floe("path", "--base32", tree), nix("nix-hash", "--type", "sha256", "--base32", tree));
  assert.is(
    await floe("file", "--type", "sha1", "--base32", file),
    nix("nix-hash", "--flat", "--type", "sha1", "--base32", file),
  );
  assert.is(await floe("path", tree, file), nix("nix", "hash", "path", tree, file));
  assert.is(await floe("file", "--base64", file), nix("nix", "hash", "file", "--base64", file));
  const sri = nix("nix", "hash", "file", file).trim();
  for (const form of ["--base16", "--base32", "--base64", "--sri"])
    assert.is(await floe("convert", form, sri), nix("nix", "hash", `to-${form.slice(2)}`, sri));
});

test("floe hash path hashes as git does, or a file's bytes", async () => {
  // git 2.39: git mktree of an executable "tool" with "#!/bin/sh\n"
  assert.is(
    await floe("path", "--mode", "git", "--type", "sha1", "--base16", tree),
    `5fe3a64ae7cab8de1f1b4ad02d661d7ee3617ec4\n`,
  );
  assert.is(await floe("path", "--mode", "flat", file), await floe("file", file));
  const { code, stderr } = await runFloe(["hash", "path", "--mode", "git", file]);
  assert.is(code, 1);
  assert.match(stderr, "[content-address.git-root]");
});

test("floe hash convert shows all forms, and refuses what is no hash", async () => {
  const zero = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
  assert.match(await floe("convert", zero), `typed-base16  sha256:${"0".repeat(64)}`);
  assert.is(await floe("convert", "--type", "sha256", "--form", "sri", "0".repeat(52)), `${zero}\n`);
  assert.match((await runFloe(["hash", "convert", "0".repeat(52)])).stderr, "[hash.algorithm-missing]");
});

test.run();

import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const tree = join(directory, "tree");
mkdirSync(join(tree, "bin"), { recursive: true });
writeFileSync(join(tree, "bin/run"), "#!/bin/sh\n");
chmodSync(join(tree, "bin/run"), 0o755);
writeFileSync(join(tree, "note"), "hello\n");
symlinkSync("bin/run", join(tree, "start"));

/** `floe nar dump`, with stdout going to a file. */
function dump(path: string, to: string): void {
  const out = openSync(to, "w");
  const { status, stderr } = spawnSync(process.execPath, [...floeCommand(), "nar", "dump", path], {
    stdio: ["ignore", out, "pipe"],
  });
  closeSync(out);
  assert.is(status, 0, String(stderr));
}

const archive = join(directory, "tree.nar");

test("floe nar dump writes what floe hash path hashes", async () => {
  dump(tree, archive);
  const { stdout: ofTree } = await runFloe(["hash", "path", tree]);
  const { stdout: ofArchive } = await runFloe(["hash", "file", archive]);
  assert.is(ofTree, ofArchive);
  // Nix 2.8: nix hash path tree
  assert.is(ofTree, "sha256-kCOxjmUX7xxyIvOSf9uoQkGlvuKNNPsdKKVgunJ4/eM=\n");
});

test("floe nar ls lists an archive, as text and as JSON", async () => {
  const { stdout } = await runFloe(["nar", "ls", "-R", archive]);
  assert.equal(
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/ +/g, " ")),
    [
      "dr-xr-xr-x 0 .",
      "dr-xr-xr-x 0 ./bin",
      "-r-xr-xr-x 10 ./bin/run",
      "-r--r--r-- 6 ./note",
      "lrwxrwxrwx 0 ./start -> bin/run",
    ],
  );
  const { stdout: json } = await runFloe(["nar", "ls", "--json", archive, "bin/run"]);
  const node = JSON.parse(json) as { type: string; size: number; executable: boolean; narOffset: number };
  assert.equal([node.type, node.size, node.executable], ["regular", 10, true]);
  assert.is(
    readFileSync(archive)
      .subarray(node.narOffset, node.narOffset + 10)
      .toString(),
    "#!/bin/sh\n",
  );
});

test("floe nar cat writes one file, and refuses what is not one", async () => {
  assert.is((await runFloe(["nar", "cat", archive, "note"])).stdout, "hello\n");
  const missing = await runFloe(["nar", "cat", archive, "gone"]);
  assert.is(missing.code, 1);
  assert.match(missing.stderr, /^error: Cannot show "gone" of the archive: it is not there \[nar\.no-such-path\]/);
  assert.match((await runFloe(["nar", "cat", archive, "bin"])).stderr, "[nar.not-a-file]");
  assert.match((await runFloe(["nar", "ls", archive, "bin/gone"])).stderr, "[nar.no-such-path]");
});

test("floe nar cat refuses an archive that ends too early", async () => {
  const broken = join(directory, "broken.nar");
  writeFileSync(broken, readFileSync(archive).subarray(0, 200));
  const { code, stderr } = await runFloe(["nar", "ls", broken]);
  assert.is(code, 1);
  assert.match(stderr, "[nar.malformed]");
});

test.run();

import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { removeTree } from "../../core/host/files/index.ts";
import { openLocalStore } from "../../core/host/local-store/index.ts";
import { rootsOf } from "../../core/host/maintenance/testing-ledger.ts";
import { symlinkAtomic } from "../../core/host/files/index.ts";
import { storeAfterPowerCuts } from "./store-power-cuts.ts";

const test = suite("store after power cuts");
const folder = mkdtempSync(join(tmpdir(), "floe-cuts-"));
const image = join(folder, "before.img");
const log = join(folder, "log");
const SIZE = 24 * 1024 * 1024;
test.after(() => removeTree(folder));

const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` };
const present = ["mke2fs", "debugfs", "e2fsck"].every(
  (name) => spawnSync(name, ["-V"], { env, stdio: "ignore" }).error === undefined,
);
const checking = present ? test : test.skip;
if (!present) console.log("skipped: mke2fs, debugfs and e2fsck are not here, so no disk can be made and read");

/** A disk with a store and the words about it, and a log of one write that makes it and of one flush. */
function record(words: string): string {
  const tree = join(folder, "tree");
  removeTree(tree);
  mkdirSync(tree);
  const store = openLocalStore({ root: join(tree, "root") });
  const path = store.addText("kept", "x", []);
  mkdirSync(rootsOf(store.stateDirectory, "0"), { recursive: true });
  symlinkAtomic(path, join(rootsOf(store.stateDirectory, "0"), "1-1"));
  store.close();
  writeFileSync(join(tree, "words"), `${words.replaceAll("PATH", path)}\0\0`);
  const after = join(folder, "after.img");
  writeFileSync(after, "");
  truncateSync(after, SIZE);
  execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", "-d", tree, after], { env });
  writeFileSync(image, "");
  truncateSync(image, SIZE);
  const head = Buffer.alloc(512);
  head.writeBigUInt64LE(0x6a736677736872n, 0);
  head.writeBigUInt64LE(1n, 8);
  head.writeUInt32LE(512, 24);
  const entry = (sectors: number, flags: number): Buffer => {
    const bytes = Buffer.alloc(512);
    bytes.writeBigUInt64LE(BigInt(sectors), 8);
    bytes.writeBigUInt64LE(BigInt(flags), 16);
    return bytes;
  };
  writeFileSync(log, Buffer.concat([head, entry(SIZE / 512, 0), readFileSync(after), entry(0, 1)]));
  return path;
}

checking("a store that is as it was told has no faults", async () => {
  record("done link 1-1 PATH\n");
  const report = await storeAfterPowerCuts({ image, log, folder, cuts: 1, seed: 3 });
  assert.equal(report, { cuts: 1, writes: 2, flushes: 1, withLosses: 0, told: 1, faults: [] });
});

checking("what was told and is not there is a fault, what was only begun is none", async () => {
  record("done link 1-1 PATH\ndone link 1-2 PATH\nbegin drop 1-9\ndone profile 3 PATH\ndone link cut off");
  const { faults } = await storeAfterPowerCuts({ image, log, folder, cuts: 1, seed: 3 });
  assert.is(faults.length, 3, faults.join("\n"));
  assert.match(faults[0] ?? "", /root 1-2 is undefined, told \/nix\/store/);
  assert.match(faults[1] ?? "", /generation 3 is undefined/);
});

test("without the programs nothing is said of the disk", async () => {
  const error = await storeAfterPowerCuts({ image, log, folder, cuts: 1, seed: 3, path: folder }).then(
    () => undefined,
    (thrown) => thrown,
  );
  assert.is(error?.code, "power-cut.no-program");
});

test.run();

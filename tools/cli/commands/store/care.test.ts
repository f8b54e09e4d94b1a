import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes, utf8 } from "../../../../core/base/index.ts";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import { dumpFileNar, type StorePath } from "../../../../core/store/index.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const store = ["--store", join(directory, "root")];
const other = ["--store", join(directory, "other")];
const from = join(directory, "tree");
mkdirSync(from);
for (const name of ["a", "b"]) writeFileSync(join(from, name), "x".repeat(4000));
const env = { XDG_CONFIG_HOME: directory };

test("floe store optimise says what it saved", async () => {
  const added = await runFloe(["store", "add", ...store, from]);
  assert.is(added.code, 0, added.stderr);
  const { code, stderr } = await runFloe(["store", "optimise", ...store]);
  assert.is(code, 0);
  assert.match(stderr, "freed: 1 of 2 files in 1 store objects became links");
  const again = JSON.parse((await runFloe(["store", "optimise", ...store, "--json"])).stdout) as { linked: number };
  assert.is(again.linked, 0);
});

test("floe store verify sums up its exit code, and --repair takes whole copies from another store", async () => {
  const path = (await runFloe(["store", "add", ...other, from])).stdout.trim();
  const real = join(directory, "root", path, "a");
  chmodSync(real, 0o644);
  writeFileSync(real, "changed");
  const found = await runFloe(["store", "verify", "--all", ...store, "--json"], { env });
  assert.is(found.code, 1);
  const { faults } = JSON.parse(found.stdout) as { faults: { kind: string; path: string }[] };
  assert.equal(faults.map(({ kind }) => kind).sort(), ["damaged", "link"]);
  const repaired = await runFloe(["store", "verify", "--repair", "--from", join(directory, "other"), ...store], {
    env,
  });
  assert.is(repaired.code, 0, repaired.stderr);
  assert.match(repaired.stderr, `repaired ${path}: copied from another store`);
  assert.is((await runFloe(["store", "verify", ...store, "--check-contents"])).code, 0);
});

test("floe store verify ends with 4 where an object cannot be read, and with the sum of all that is wrong", async () => {
  const place = ["--store", join(directory, "unread")];
  const [good, bad] = ["good", "bad"].map((name) => join(directory, name)) as [string, string];
  for (const file of [good, bad]) writeFileSync(file, file);
  const [first, second] = await Promise.all(
    [good, bad].map(async (file) => (await runFloe(["store", "add", ...place, file])).stdout.trim()),
  );
  // A file of the kernel that not even root can read.
  const real = join(directory, "unread", second as string);
  const mounted = spawnSync("mount", ["--bind", "/sys/bus/platform/drivers_probe", real]);
  if (mounted.status !== 0) return console.log("skipped: nothing can be mounted here that fails to be read");
  try {
    const unread = await runFloe(["store", "verify", "--all", "--check-contents", ...place, "--json"], { env });
    assert.is(unread.code, 4, unread.stderr);
    const { faults } = JSON.parse(unread.stdout) as { faults: { kind: string; path: string }[] };
    assert.equal(
      faults.map(({ kind, path }) => `${kind} ${path}`),
      [`unreadable ${second}`],
    );
    const other = join(directory, "unread", first as string);
    chmodSync(other, 0o644);
    writeFileSync(other, "changed");
    assert.is((await runFloe(["store", "verify", "--all", "--check-contents", ...place], { env })).code, 5);
  } finally {
    spawnSync("umount", [real]);
  }
});

test("floe store verify --sigs-needed asks for keys that are trusted", async () => {
  rmSync(join(directory, "root"), { recursive: true });
  const { code, stderr } = await runFloe(["store", "verify", ...store, "--sigs-needed", "1"], { env });
  assert.is(code, 0, stderr);
  assert.match(stderr, "0 store objects are as they were registered");
  using unsigned = openLocalStore({ root: join(directory, "root") });
  const nar = dumpFileNar(utf8("from somewhere"));
  const path = `/nix/store/${"0".repeat(32)}-x` as StorePath;
  const facts = { narHash: hashBytes("sha256", nar), narSize: nar.length, references: [], signatures: [] };
  await unsigned.importNar({ path, ...facts }, Readable.from([nar]));
  const found = await runFloe(["store", "verify", ...store, "--sigs-needed", "1"], { env });
  assert.is(found.code, 2, "Nix sums 2 for what nobody signed");
  assert.match(found.stderr, "[store.untrusted]");
});

test.run();

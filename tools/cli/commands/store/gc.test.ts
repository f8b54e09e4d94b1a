import { existsSync, lutimesSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Profile } from "../../../../core/host/profile/index.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";

const directory = temporaryDirectory();
const root = join(directory, "root");
const store = ["--store", root];
const floe = (...words: string[]) => runFloe(["store", ...words, ...store]);

const paths = new Map<string, string>();
async function add(name: string): Promise<string> {
  writeFileSync(join(directory, name), name.repeat(1000));
  const path = (await floe("add", join(directory, name))).stdout.trim();
  paths.set(name, path);
  return path;
}
const pathOf = (name: string): string => paths.get(name) as string;

test("floe store gc keeps what links name, and a dry run tells before", async () => {
  for (const name of ["kept", "first", "second", "third"]) await add(name);
  symlinkSync(pathOf("kept"), join(root, "nix/var/nix/gcroots/kept"));
  const profile = new Profile(join(root, "nix/var/nix/profiles"), "mine");
  for (const [index, name] of ["first", "second", "third"].entries()) {
    profile.create(pathOf(name));
    const when = Date.now() / 1000 - (30 - 10 * index) * 86_400;
    lutimesSync(profile.linkPath(index + 1), when, when);
  }
  profile.switchTo(3);
  await add("garbage");
  const roots = await floe("gc", "--print-roots");
  assert.match(roots.stdout, `${join(root, "nix/var/nix/gcroots/kept")} -> ${pathOf("kept")}\n`);
  assert.is((await floe("gc", "--print-dead")).stdout, `${pathOf("garbage")}\n`);
  const live = JSON.parse((await floe("gc", "--print-live", "--json")).stdout) as string[];
  assert.equal([...live].sort(), ["kept", "first", "second", "third"].map(pathOf).sort());
  const dry = await floe("gc", "--dry-run");
  assert.is(dry.stdout, `${pathOf("garbage")}\n`);
  assert.match(dry.stderr, "would delete 1 store object and free");
  assert.ok(existsSync(root + pathOf("garbage")));
});

test("floe store gc forgets old generations first, as the dry run says", async () => {
  // Twenty-five days ago the first was active.
  const older = await floe("gc", "--dry-run", "--delete-older-than", "25d", "--json");
  assert.equal((JSON.parse(older.stdout) as { generations: unknown[] }).generations, []);
  const dry = JSON.parse((await floe("gc", "--dry-run", "--delete-older-than", "15d", "--json")).stdout) as {
    generations: { generation: number }[];
    dead: string[];
    deleted: number;
    freedBytes: number;
  };
  assert.equal(
    dry.generations.map(({ generation }) => generation),
    [1],
  );
  assert.equal([...dry.dead].sort(), ["garbage", "first"].map(pathOf).sort());
  const done = await floe("gc", "--delete-older-than", "15d", "--json");
  const { deleted, freedBytes, left } = JSON.parse(done.stdout) as typeof dry & { left: number };
  assert.equal([deleted, freedBytes, left], [2, dry.freedBytes, 0]);
  assert.match(done.stderr, "profiles/mine: forgetting 1\n");
  const kept = await floe("gc", "--keep", "1");
  assert.is(kept.code, 0, kept.stderr);
  assert.match(kept.stderr, "deleted 1 store object, freed");
  assert.equal(readdirSync(join(root, "nix/store")).length, 2);
});

test("floe store gc stops early when it is told to", async () => {
  await add("one");
  await add("two");
  assert.match((await floe("gc", "--max-free", "0")).stderr, "deleted 0 store objects");
  assert.match((await floe("gc", "--max", "1")).stderr, "deleted 1 store object,");
  for (const words of [
    ["--max", "1", "--max-free", "1"],
    ["--print-dead", "--print-live"],
  ]) {
    assert.match((await floe("gc", ...words)).stderr, "[cli.conflicting-flags]");
  }
});

test("floe store delete deletes what nothing needs", async () => {
  const path = await add("single");
  const alive = await floe("delete", pathOf("kept"), path);
  assert.is(alive.code, 1);
  assert.match(alive.stderr, "[gc.alive]");
  assert.match(alive.stderr, join(root, "nix/var/nix/gcroots/kept"));
  const dry = await floe("delete", "--dry-run", "--skip-alive", pathOf("kept"), path);
  assert.is(dry.stdout, `${path}\n`);
  assert.is((await floe("delete", path)).stdout, `${path}\n`);
  assert.not.ok(existsSync(root + path));
  assert.match((await floe("delete", path)).stderr, "[store.not-valid]");
  assert.is((await floe("delete", "--ignore-liveness", pathOf("kept"))).code, 0);
});

test.run();

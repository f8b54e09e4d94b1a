import { spawnSync } from "node:child_process";
import { existsSync, lutimesSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { scanTree } from "../../../../core/host/files/index.ts";
import { openLocalStore } from "../../../../core/host/local-store/index.ts";
import { Profile } from "../../../../core/host/profile/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";

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

test("floe store delete takes what only they need, and with --also-referrers what needs them; nothing is ignored that refers", async () => {
  const write = (name: string): string => {
    writeFileSync(join(directory, name), name);
    return join(directory, name);
  };
  const addWith = async (name: string, ...references: string[]): Promise<string> => {
    const words = references.flatMap((reference) => ["--reference", reference]);
    return (await floe("add", "--mode", "text", ...words, write(name))).stdout.trim();
  };
  const lib = await addWith("del-lib");
  const mid = await addWith("del-mid", lib);
  const top = await addWith("del-top", mid);
  const live = await addWith("del-live", lib);
  symlinkSync(live, join(root, "nix/var/nix/gcroots/del-live"));
  const referred = await floe("delete", "--ignore-liveness", lib);
  assert.equal([referred.code, referred.stderr.includes("[gc.referred]")], [1, true], referred.stderr);
  const kept = await floe("delete", "--also-referrers", lib);
  assert.equal([kept.code, kept.stderr.includes("[gc.alive]")], [1, true], kept.stderr);
  // What lives, and the library it needs, is passed over.
  const dry = await floe("delete", "--also-referrers", "--skip-alive", "--dry-run", "--json", mid, lib);
  const plan = JSON.parse(dry.stdout) as { deleted: number; freedBytes: number; paths: string[] };
  assert.equal([plan.deleted, plan.freedBytes > 0, plan.paths], [2, true, [top, mid]]);
  const words = await floe("delete", "--also-referrers", "--skip-alive", "--dry-run", mid, lib);
  assert.match(words.stderr, "would delete 2 store objects and free ");
  assert.ok(existsSync(root + top));
  const own = await addWith("del-own");
  const user = await addWith("del-user", own, lib);
  assert.is((await floe("delete", "--recursive", user)).stdout, `${user}\n${own}\n`);
  assert.is((await floe("delete", "--recursive", "--also-referrers", "--skip-alive", mid)).stdout, `${top}\n${mid}\n`);
  assert.ok(existsSync(root + live) && existsSync(root + lib));
});

test("floe store gc keeps of live objects what its flags say", async () => {
  const drv = {
    name: "flags",
    outputs: { out: {} },
    inputSrcs: [],
    inputDrvs: {},
    system: "x86_64-linux",
    builder: "/bin/sh",
    args: [],
    env: {},
  };
  const added = spawnSync(process.execPath, [...floeCommand(), "derivation", "add", ...store], {
    encoding: "utf8",
    input: JSON.stringify(drv),
  });
  const drvPath = added.stdout.trim();
  assert.ok(drvPath.endsWith(".drv"), added.stderr);
  const out = (await runFloe(["derivation", "show", ...store, drvPath])).stdout;
  const [{ outputs }] = Object.values(JSON.parse(out)) as [{ outputs: { out: { path: string } } }];
  {
    using local = openLocalStore({ root });
    writeFileSync(local.realPath(outputs.out.path), "made");
    const scanned = await scanTree(local.realPath(outputs.out.path), { canonicalise: true });
    const path = outputs.out.path as StorePath;
    local.registerOutputs([{ path, ...scanned, deriver: drvPath as StorePath, signatures: [] }]);
    local.flush();
  }
  const dead = async (...flags: string[]): Promise<string[]> =>
    (JSON.parse((await floe("gc", "--print-dead", "--json", ...flags)).stdout) as string[]).filter((path) =>
      [drvPath, outputs.out.path].includes(path),
    );
  symlinkSync(outputs.out.path, join(root, "nix/var/nix/gcroots/flags-out"));
  assert.equal([await dead(), await dead("--no-keep-derivations")], [[], [drvPath]]);
  assert.equal(await dead("--keep-derivations"), []);
  rmSync(join(root, "nix/var/nix/gcroots/flags-out"));
  symlinkSync(drvPath, join(root, "nix/var/nix/gcroots/flags-drv"));
  assert.equal([await dead("--no-keep-outputs"), await dead("--keep-outputs")], [[outputs.out.path], []]);
});

test.run();

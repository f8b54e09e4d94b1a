import { spawnSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import type { StorePath } from "../../store/index.ts";
import { openLocalStore, readStoreSettings } from "../local-store/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { optimiseStore, verifyStore } from "./index.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("optimise");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const nixPresent = spawnSync("nix-store", ["--version"]).status === 0;
if (!nixPresent) console.log("skipped in part: nix-store is not on the PATH, so real Nix cannot be asked");

function nixStore(root: string, ...words: string[]): string {
  const { status, stderr } = spawnSync("nix-store", ["--store", root, ...words], {
    encoding: "utf8",
    env: { ...process.env, NIX_REMOTE: "" },
  });
  assert.is(status, 0, stderr);
  assert.not.match(stderr, /modified|corrupt|missing/);
  return stderr;
}

/** Two trees with files in common. */
async function addTrees({ store, folder }: ReturnType<typeof openTemporaryStore>): Promise<StorePath[]> {
  const paths: StorePath[] = [];
  for (const name of ["a", "b"]) {
    const from = join(folder, name);
    mkdirSync(join(from, "sub"), { recursive: true });
    writeFileSync(join(from, "same"), "x".repeat(5000));
    writeFileSync(join(from, "sub/same"), "x".repeat(5000));
    writeFileSync(join(from, "tool"), "x".repeat(5000), { mode: 0o755 });
    writeFileSync(join(from, "own"), name);
    symlinkSync("/same/target", join(from, "link"));
    paths.push(await store.addTree({ name, from }));
  }
  return paths;
}

test("equal files become one, as Nix does it, and nothing else changes", async (context) => {
  const { store } = context;
  const [a, b] = (await addTrees(context)) as [StorePath, StorePath];
  const report = await optimiseStore(store);
  // Six files, two of them executable, and two links: three are replaced by equal files, one by an equal executable, one link.
  assert.equal([report.objects, report.files, report.linked, report.damagedLinks], [2, 10, 5, []]);
  assert.is(report.bytesFreed, 4 * 5000 + "/same/target".length);
  const inode = (path: string): number => lstatSync(store.realPath(path)).ino;
  assert.is(inode(`${a}/same`), inode(`${b}/sub/same`));
  assert.is(inode(`${a}/link`), inode(`${b}/link`));
  assert.is.not(inode(`${a}/same`), inode(`${a}/tool`));
  for (const path of [a, b]) {
    const { mode, mtimeMs } = lstatSync(store.realPath(`${path}/sub`));
    assert.equal([mode & 0o7777, mtimeMs], [0o555, 1000]);
  }
  const left = readdirSync(store.realStoreDirectory).filter((name) => name.startsWith(".tmp"));
  assert.equal(left, []);
  assert.is((await optimiseStore(store)).linked, 0);
  if (!nixPresent) return;
  nixStore(store.root, "--verify", "--check-contents");
  const links = readdirSync(join(store.realStoreDirectory, ".links")).sort();
  nixStore(store.root, "--optimise");
  assert.equal(readdirSync(join(store.realStoreDirectory, ".links")).sort(), links);
  assert.is(inode(`${a}/same`), inode(`${b}/sub/same`));
});

test("a store that Nix has optimised is left as it is, and goes on with its links", async (context) => {
  if (!nixPresent) return;
  const { store, folder } = context;
  await addTrees(context);
  nixStore(store.root, "--optimise");
  assert.is((await optimiseStore(store)).linked, 0);
  writeFileSync(join(folder, "more"), "x".repeat(5000));
  await store.addTree({ name: "more", from: join(folder, "more") });
  assert.is((await optimiseStore(store)).linked, 1);
  nixStore(store.root, "--verify", "--check-contents");
});

test("a damaged link is removed and not spread", async (context) => {
  const { store } = context;
  const [a] = (await addTrees(context)) as [StorePath];
  await optimiseStore(store);
  const links = join(store.realStoreDirectory, ".links");
  const good = lstatSync(store.realPath(`${a}/same`)).ino;
  const link = readdirSync(links).find((name) => lstatSync(join(links, name)).ino === good) as string;
  for (const contents of ["y".repeat(5000), "short"]) {
    // Another file, so that the objects stay whole.
    const other = join(store.realStoreDirectory, "other");
    writeFileSync(other, contents);
    chmodSync(other, 0o444);
    spawnSync("mv", ["-f", other, join(links, link)]);
    const report = await optimiseStore(store);
    assert.equal(report.damagedLinks, [join(links, link)]);
    assert.is(readFileSync(store.realPath(`${a}/same`), "utf8"), "x".repeat(5000));
    assert.is(readFileSync(join(links, link), "utf8"), "x".repeat(5000));
  }
});

test("with the setting, objects are joined before they are registered", async ({ folder }) => {
  const settings = { environment: { XDG_CONFIG_HOME: folder }, home: folder, root: folder };
  assert.is(readStoreSettings(settings).autoOptimise, false);
  mkdirSync(join(folder, "floe"));
  writeFileSync(join(folder, "floe/settings.json"), `{ "autoOptimise": true, "substituters": [] }`);
  const read = readStoreSettings(settings);
  using auto = openLocalStore({ root: join(folder, "auto"), ...read });
  writeFileSync(join(folder, "file"), "same");
  const paths: StorePath[] = [];
  for (const name of ["a", "b"]) paths.push(await auto.addTree({ name, from: join(folder, "file") }));
  for (const path of paths) assert.is(statSync(auto.realPath(path)).nlink, 3);
  for (const text of ["{", `{ "autoOptimise": 1 }`]) {
    writeFileSync(join(folder, "floe/settings.json"), text);
    assert.throws(
      () => readStoreSettings(settings),
      (error: CodedError) => error.code === "store.settings-malformed",
    );
  }
});

test("files that somebody may write to are left alone, and what is gone is passed over", async (context) => {
  const { store, folder } = context;
  const [a, b] = (await addTrees(context)) as [StorePath, StorePath];
  chmodSync(store.realPath(`${a}/same`), 0o644);
  const gone = store.addText("gone", "", []);
  spawnSync("rm", [store.realPath(gone)]);
  const report = await optimiseStore(store);
  assert.is(report.objects, 2);
  assert.is(statSync(store.realPath(`${a}/same`)).nlink, 1);
  assert.ok(statSync(store.realPath(`${b}/same`)).nlink > 1);
  assert.ok(folder);
});

test("a file with as many links as it can have does not stop the rest", async (context) => {
  const { store, folder } = context;
  const [a] = (await addTrees(context)) as [StorePath];
  await optimiseStore(store);
  const crowd = join(folder, "crowd");
  mkdirSync(crowd);
  let count = 0;
  try {
    for (; count < 70_000; count++) linkSync(store.realPath(`${a}/own`), join(crowd, String(count)));
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, "EMLINK");
  }
  writeFileSync(join(folder, "own"), "a");
  writeFileSync(join(folder, "same"), "x".repeat(5000));
  await store.addTree({ name: "own", from: join(folder, "own") });
  await store.addTree({ name: "same", from: join(folder, "same") });
  const report = await optimiseStore(store);
  // ext4 allows 65,000 links; where there is room for all of these, both are joined.
  assert.is(report.linked, count === 70_000 ? 2 : 1);
  assert.equal(
    readdirSync(store.realStoreDirectory).filter((name) => name.startsWith(".tmp")),
    [],
  );
});

test("a disk that has no room for one more name stops nobody, and harms nothing", async (context) => {
  const place = join(context.folder, "small");
  mkdirSync(place);
  const options = ["-t", "tmpfs", "-o", "size=64m,nr_inodes=400", "small", place];
  if (spawnSync("mount", options).status !== 0) return console.log("skipped: no small file system can be mounted here");
  try {
    using store = openLocalStore({ root: join(place, "root") });
    const paths = await addTrees({ ...context, store, folder: place });
    const crowd: string[] = [];
    try {
      // In memory a second name counts as a file.
      for (;;) {
        writeFileSync(join(place, `crowd-${crowd.length}`), "");
        crowd.push(join(place, `crowd-${crowd.length}`));
      }
    } catch (error) {
      assert.is((error as NodeJS.ErrnoException).code, "ENOSPC");
    }
    const full = await optimiseStore(store);
    assert.is(full.linked, 0);
    for (const path of paths) assert.is(readFileSync(store.realPath(`${path}/same`), "utf8").length, 5000);
    for (const file of crowd) rmSync(file);
    assert.ok((await optimiseStore(store)).linked > 0);
    assert.equal((await verifyStore(store, { contents: true })).faults, []);
  } finally {
    spawnSync("umount", [place]);
  }
});

test("several at once, and a lot of bytes on several threads", async (context) => {
  const { store, folder } = context;
  for (let i = 0; i < 4; i++) {
    const from = join(folder, `big-${i}`);
    mkdirSync(from);
    for (let j = 0; j < 3; j++) writeFileSync(join(from, `f${j}`), Buffer.alloc(4_000_000, j));
    writeFileSync(join(from, "own"), String(i));
    await store.addTree({ name: "big", from });
  }
  const reports = await Promise.all([optimiseStore(store, { threads: 2 }), optimiseStore(store, { threads: 2 })]);
  for (const path of store.allPaths())
    for (let j = 0; j < 3; j++)
      assert.is(statSync(store.realPath(`${path}/f${j}`)).nlink, 5, `${path}: ${JSON.stringify(reports)}`);
  if (nixPresent) nixStore(store.root, "--verify", "--check-contents");
});

test.run();

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readlinkSync, readdirSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { type StorePath, type StoreReader, STORE_DIRECTORY } from "../../store/index.ts";
import { describeStore, type TestedStore } from "../../store/store.contract.ts";
import { removeTree } from "../files/index.ts";
import { type LocalStore, openLocalStore } from "./index.ts";

/** What is written to a store, told by a store that is opened for each question and only reads. */
describeStore("read-only store", () => {
  const root = mkdtempSync(join(tmpdir(), "floe-read-only-"));
  openLocalStore({ root }).close();
  const asked = <T>(ask: (store: LocalStore) => T): T => {
    using store = openLocalStore({ root: `${root}?read-only=true` });
    return ask(store);
  };
  const store: TestedStore = {
    storeDirectory: STORE_DIRECTORY,
    isValid: (path) => asked((one) => one.isValid(path)),
    queryPathInfo: (path) => asked((one) => one.queryPathInfo(path)),
    queryByDigest: (digest) => asked((one) => one.queryByDigest(digest)),
    queryReferrers: (path) => asked((one) => one.queryReferrers(path)),
    closure: (paths) => asked((one) => one.closure(paths)),
    readNar: (path) => asked((one): ReturnType<StoreReader["readNar"]> => one.readNar(path)),
    addText(...words) {
      using one = openLocalStore({ root });
      return one.addText(...words);
    },
    async importNar(...words) {
      using one = openLocalStore({ root });
      await one.importNar(...words);
    },
  };
  return { store, close: () => removeTree(root) };
});

const test = suite<{ root: string; path: StorePath }>("read-only store");
test.before.each((context) => {
  context.root = mkdtempSync(join(tmpdir(), "floe-read-only-"));
  using store = openLocalStore({ root: context.root });
  context.path = store.addText("there", "there", []);
});
test.after.each(({ root }) => removeTree(root));

test("every way to write is refused, and what is there already needs none", async ({ root, path }) => {
  const before = [...listing(root)];
  using store = openLocalStore({ root: `${root}?read-only=true` });
  const info = store.queryPathInfo(path);
  assert.ok(info !== undefined);
  assert.ok(store.readOnly);
  assert.not.ok(store.isWritable());
  const fresh = { ...info, path: path.replace("there", "other") as StorePath };
  const from = join(root, "../floe-read-only-tree");
  mkdirSync(from, { recursive: true });
  const ways: (() => unknown)[] = [
    () => store.addText("other", "other", []),
    () => store.addTree({ name: "tree", from }),
    () => store.importNar(fresh, store.readNar(path)),
    () => store.importMany({ infos: [fresh], open: () => store.readNar(path), atOnce: 1 }),
    () => store.registerOutputs([info]),
    () => store.addSignatures(new Map([[path, ["key-1:c2lnbmF0dXJl"]]])),
    () =>
      store.addRealisations([
        { id: `sha256:${"a".repeat(64)}!out`, outPath: path, signatures: [], dependentRealisations: new Map() },
      ]),
    () => store.invalidate([path]),
    () => store.lockPaths([path]),
    () => store.registerRoot(join(root, "link")),
  ];
  for (const way of ways) await refuses("store.read-only", way);
  removeTree(from);
  assert.is(store.addText("there", "there", []), path);
  await store.importNar(info, store.readNar(path));
  store.addTempRoot(path);
  await store.batch(() => store.addText("there", "there", []));
  // A link to it lies elsewhere, and keeps what nobody deletes.
  const link = `${root}-link`;
  store.addIndirectRoot(link, path);
  assert.is(readlinkSync(link), path);
  removeTree(link);
  assert.equal([...listing(root)], before);
});

test("a log that is left beside the database is told, and what takes it in", async ({ root, path }) => {
  const copy = `${root}-copy`;
  try {
    // As a copy of a store in use has it.
    using store = openLocalStore({ root });
    const late = store.addText("late", "late", []);
    for (const name of ["nix/var/nix/db", "nix/store"]) mkdirSync(join(copy, name), { recursive: true });
    for (const name of readdirSync(join(root, "nix/var/nix/db")))
      copyFileSync(join(root, "nix/var/nix/db", name), join(copy, "nix/var/nix/db", name));
    const fault = await refuses("store.log-left", () => openLocalStore({ root: `${copy}?read-only=true` }));
    assert.match(fault.hint ?? "", "floe store load-db");
    // What the hint says: opened once where it can be written.
    openLocalStore({ root: copy }).close();
    using whole = openLocalStore({ root: `${copy}?read-only=true` });
    assert.ok(whole.isValid(late) && whole.isValid(path));
  } finally {
    removeTree(copy);
  }
});

test("a store that is not there is missed", async ({ root }) => {
  await refuses("store.missing", () => openLocalStore({ root: `${root}/absent?read-only=true` }));
});

const mounted = process.getuid?.() === 0 ? test : test.skip;
mounted("it works on a file system that is mounted to be read only", async ({ root, path }) => {
  const place = `${root}-mounted`;
  mkdirSync(place);
  const mount = (...words: string[]) => spawnSync("mount", words, { encoding: "utf8" });
  if (mount("--bind", root, place).status !== 0) return console.log("skipped: nothing can be mounted here");
  try {
    assert.is(mount("-o", "remount,bind,ro", place).status, 0);
    assert.throws(() => symlinkSync("x", join(place, "x")), /EROFS/);
    using store = openLocalStore({ root: `${place}?read-only=true` });
    assert.ok(store.isValid(path));
    const pieces: Uint8Array[] = [];
    for await (const piece of store.readNar(path)) pieces.push(piece);
    assert.ok(Buffer.concat(pieces).includes("there"));
    await refuses("store.read-only", () => store.addText("other", "other", []));
  } finally {
    spawnSync("umount", [place]);
    removeTree(place);
  }
});

/** Programs that make an image of a folder. */
const IMAGES: Readonly<Record<string, (image: string, folder: string) => string[]>> = {
  erofs: (image, folder) => ["mkfs.erofs", "-zlz4", image, folder],
  ext4: (image, folder) => ["mkfs.ext4", "-q", "-d", folder, image, "32M"],
};
for (const [type, words] of Object.entries(IMAGES)) {
  mounted(`an image is a store, and one of one's own can lie upon it (${type})`, async ({ root, path }) => {
    const [image, place, upper] = [`${root}.${type}`, `${root}-${type}`, `${root}-upper-${type}`];
    mkdirSync(place);
    try {
      const [program = "", ...rest] = words(image, root);
      const made = spawnSync(program, rest, { encoding: "utf8" });
      if (made.error !== undefined) return console.log(`skipped: ${program} is not on the PATH`);
      assert.is(made.status, 0, made.stderr);
      const mount = spawnSync("mount", ["-t", type, "-o", "ro,loop", image, place], { encoding: "utf8" });
      if (mount.status !== 0) return console.log(`skipped: an image cannot be mounted here: ${mount.stderr.trim()}`);
      {
        using store = openLocalStore({ root: `${place}?read-only=true` });
        assert.equal(store.allPaths(), [path]);
        const pieces: Uint8Array[] = [];
        for await (const piece of store.readNar(path)) pieces.push(piece);
        assert.ok(Buffer.concat(pieces).includes("there"));
        const lower = encodeURIComponent(`local?root=${place}&read-only=true`);
        using own = openLocalStore({
          root: `local-overlay://?root=${upper}/m&lower-store=${lower}&upper-layer=${upper}/layer`,
        });
        const added = own.addText("upon", path, [path]);
        assert.equal(own.closure([added]), [path, added]);
        await refuses("store.read-only", () => store.addText("other", "other", []));
      }
    } finally {
      spawnSync("umount", [place]);
      for (const each of [image, place, upper]) removeTree(each);
    }
  });
}

test.run();

async function refuses(code: string, run: () => unknown): Promise<CodedError> {
  try {
    await run();
  } catch (error) {
    assert.is((error as CodedError).code, code, (error as Error).stack);
    return error as CodedError;
  }
  assert.unreachable(`expected ${code} of ${run}`);
  throw new Error("never");
}

/** Everything below a directory. */
function* listing(root: string): Generator<string> {
  for (const entry of readdirSync(root, { recursive: true })) yield String(entry);
  if (!existsSync(root)) throw new Error(`${root} is gone`);
}

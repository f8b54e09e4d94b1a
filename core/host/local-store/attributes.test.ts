import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";
import { findNativeProgram } from "../sandbox/support.ts";
import { FileCare } from "./file-care.ts";
import { IGNORED_ATTRIBUTES, openLocalStore, readStoreSettings } from "./index.ts";
import { giveDefaultAcl, listAttributes, openTemporaryStore, setAttribute } from "./testing.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("extended attributes");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

/** A reason not to go on, where this machine cannot show what is to be seen. */
const cannot = (refused: string | undefined): boolean => {
  if (refused !== undefined) console.log(`skipped: attributes cannot be set here: ${refused}`);
  return refused !== undefined;
};
const native = findNativeProgram() === undefined ? test.skip : test;
if (findNativeProgram() === undefined) console.log("skipped: floe-sandbox is not there, so nobody sees attributes");

function makeTree(folder: string): string[] {
  const from = join(folder, "tree");
  mkdirSync(join(from, "directory"), { recursive: true });
  writeFileSync(join(from, "small"), "small");
  writeFileSync(join(from, "directory/large"), "x".repeat(3_000_000));
  return ["", "/directory", "/directory/large", "/small"].map((path) => from + path);
}
const TREE = ["", "/directory", "/directory/large", "/small"];

test("no extended attribute of a source gets into the store, nor by copying from there", async ({ store, folder }) => {
  const other = openTemporaryStore();
  try {
    const files = makeTree(folder);
    for (const file of files) if (cannot(setAttribute(file, "user.floe", "1"))) return;
    // They are there to be found.
    for (const file of files) assert.equal(listAttributes(file), ["user.floe"]);
    const path = await store.addTree({ name: "tree", from: files[0] as string });
    await other.store.importNar(store.queryPathInfo(path) as PathInfo, store.readNar(path));
    for (const each of [store, other.store])
      for (const part of TREE) assert.equal(listAttributes(each.realPath(path) + part), []);
  } finally {
    other.close();
  }
});

native("what the store directory gives to all that is made in it is taken away", async ({ store, folder }) => {
  const files = makeTree(folder);
  const other = openTemporaryStore();
  try {
    for (const each of [store, other.store]) {
      each.addText("first", "x", []);
      if (cannot(giveDefaultAcl(each.realStoreDirectory))) return;
    }
    const made = join(store.realStoreDirectory, "made");
    mkdirSync(made);
    assert.equal(listAttributes(made), ["system.posix_acl_access", "system.posix_acl_default"]);
    using fresh = openLocalStore({ root: store.root });
    const text = fresh.addText("text", "y", []);
    const tree = await fresh.addTree({ name: "tree", from: files[0] as string });
    using receiving = openLocalStore({ root: other.store.root });
    const info = fresh.queryPathInfo(tree) as PathInfo;
    await receiving.importMany({ infos: [info], open: () => fresh.readNar(tree), atOnce: 1 });
    const objects = [
      fresh.realPath(text),
      ...TREE.flatMap((part) => [fresh.realPath(tree) + part, receiving.realPath(tree) + part]),
    ];
    for (const file of objects) assert.equal(listAttributes(file), [], file);
  } finally {
    other.close();
  }
});

native("attributes that are to be ignored stay where they are", async ({ store, folder }) => {
  const from = makeTree(folder)[0] as string;
  store.addText("first", "x", []);
  if (cannot(giveDefaultAcl(store.realStoreDirectory))) return;
  const name = "system.posix_acl_access";
  using some = openLocalStore({ root: store.root, ignoredAttributes: [name] });
  const path = await some.addTree({ name: "tree", from });
  assert.equal(listAttributes(`${some.realPath(path)}/directory`), [name]);
  using all = openLocalStore({ root: store.root, ignoredAttributes: [name, "system.posix_acl_default"] });
  const text = all.addText("text", "y", []) as StorePath;
  assert.equal(listAttributes(all.realPath(text)), [name]);
});

native("an attribute that cannot be taken away is an error, and nothing becomes valid", ({ folder }) => {
  const file = join(folder, "file");
  writeFileSync(file, "x");
  symlinkSync("file", join(folder, "link"));
  if (cannot(setAttribute(file, "user.floe", "1"))) return;
  if (spawnSync("chattr", ["+i", file]).status !== 0) return console.log("skipped: no file can be made immutable here");
  try {
    const care = new FileCare(folder);
    assert.throws(
      () => care.take([join(folder, "link"), file]),
      (error: CodedError) => error.code === "store.attributes" && error.message.includes("user.floe"),
    );
  } finally {
    spawnSync("chattr", ["-i", file]);
  }
});

test("readStoreSettings() reads which attributes are ignored", ({ folder }) => {
  const places = { environment: { XDG_CONFIG_HOME: folder }, home: folder, root: folder };
  const write = (text: string): void => writeFileSync(join(folder, "floe/settings.json"), text);
  assert.equal(readStoreSettings(places).ignoredAttributes, IGNORED_ATTRIBUTES);
  mkdirSync(join(folder, "floe"));
  write(`{ "ignoredAttributes": [] }`);
  assert.equal(readStoreSettings(places).ignoredAttributes, []);
  write(`{ "ignoredAttributes": ["security.x", "user.y"] }`);
  assert.equal(readStoreSettings(places).ignoredAttributes, ["security.x", "user.y"]);
  for (const wrong of [`"security.x"`, "[1]", `["a\\nb"]`, `[""]`]) {
    write(`{ "ignoredAttributes": ${wrong} }`);
    assert.throws(
      () => readStoreSettings(places),
      (error: CodedError) => error.code === "store.settings-malformed",
    );
  }
});

test.run();

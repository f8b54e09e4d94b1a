import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { concatBytes, formatHash } from "../../base/index.ts";
import { factsToTell, type PathInfo, parseContentAddress } from "../../store/index.ts";
import { dumpTree, hashTree } from "../files/index.ts";
import { treeAddress } from "./index.ts";
import { openTemporaryStore } from "./testing.ts";

/** Objects that are addressed as git names their tree. */
const test = suite<ReturnType<typeof openTemporaryStore>>("objects of git");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

function makeTree(folder: string): string {
  const from = join(folder, "source");
  mkdirSync(from);
  writeFileSync(join(from, "hello"), "Hello World!\n");
  return from;
}

test("a tree is added by the name git has for it, in both algorithms", async ({ store, folder }) => {
  const from = makeTree(folder);
  for (const algorithm of ["sha1", "sha256"] as const) {
    const options = { name: "source", from, method: "git", algorithm } as const;
    const path = await store.addTree(options);
    assert.is(await treeAddress(options), path);
    const { ca } = store.queryPathInfo(path) as PathInfo;
    const { method, hash } = parseContentAddress(ca ?? "");
    assert.equal([method, hash.algorithm], ["git", algorithm]);
    // git 2.39: git mktree
    if (algorithm === "sha1") assert.is(formatHash(hash, "base16"), "8b8e43b937854f4083ea56777821abda2799e850");
  }
});

test("a file alone is a blob; an executable or a link alone is nothing to git", async ({ store, folder }) => {
  const from = makeTree(folder);
  const file = await store.addTree({ name: "f", from: join(from, "hello"), method: "git", algorithm: "sha1" });
  const { ca = "" } = store.queryPathInfo(file) as PathInfo;
  assert.is(formatHash(parseContentAddress(ca).hash, "base16"), "980a0d5f19a64b4b30a87d4206aade58726b60e3");
  writeFileSync(join(from, "tool"), "", { mode: 0o755 });
  symlinkSync("tool", join(from, "link"));
  for (const name of ["tool", "link"]) {
    const adding = store.addTree({ name, from: join(from, name), method: "git" });
    assert.is(await adding.then(String, ({ code }) => code), "content-address.git-root");
  }
});

test("such an object needs no signature, and not another tree", async ({ store, folder }) => {
  const from = makeTree(folder);
  const path = await store.addTree({ name: "source", from, method: "git" });
  const info = factsToTell(store.queryPathInfo(path) as PathInfo);
  const nar = concatBytes(await collect(store.readNar(path)));
  const other = openTemporaryStore();
  writeFileSync(join(from, "hello"), "Hello World?\n");
  const lie = concatBytes(await collect(dumpTree(from)));
  const { narHash } = await hashTree(from);
  async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    yield bytes;
  }
  const lying = other.store.importNar({ ...info, narHash }, once(lie));
  assert.is(await lying.then(String, ({ code }) => code), "store.content-address-mismatch");
  assert.not(other.store.isValid(path));
  await other.store.importNar(info, once(nar));
  assert.ok(other.store.isValid(path));
  other.close();
});

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

test.run();

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, formatHash, hashBytes, utf8 } from "../../base/index.ts";
import { dumpFileNar, formatContentAddress, makeTextPath, type PathInfo, type StorePath } from "../../store/index.ts";
import { openTemporaryStore } from "./testing.ts";

const test = suite<ReturnType<typeof openTemporaryStore>>("importMany()");
test.before.each((context) => void Object.assign(context, openTemporaryStore()));
test.after.each((context) => context.close());

const archives = new Map<StorePath, Uint8Array>();

/** A text as another store would have it. */
function text(name: string, references: StorePath[], contents = `${name} ${references.join(" ")}`): PathInfo {
  const path = makeTextPath(name, contents, references);
  const nar = dumpFileNar(utf8(contents));
  archives.set(path, nar);
  const ca = formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) });
  return {
    path,
    narHash: hashBytes("sha256", nar),
    narSize: nar.length,
    references: [...references].sort(),
    signatures: [],
    ca,
  };
}

const a = text("a", []);
const b = text("b", [a.path]);
const c = text("c", [b.path]);
const d = text("d", []);

async function* open({ path }: PathInfo): AsyncGenerator<Uint8Array> {
  yield archives.get(path) as Uint8Array;
}

const leftIn = (directory: string): string[] => readdirSync(directory).filter((name) => !/-[abcd]$/.test(name));

test("makes many objects valid together, whatever order their archives come in", async ({ store }) => {
  const told: StorePath[] = [];
  await store.importMany({ infos: [a, b, c, d], open, atOnce: 3, unpacked: ({ path }) => told.push(path) });
  assert.equal(store.closure([c.path, d.path]).length, 4);
  assert.equal(new Set(told), new Set([a, b, c, d].map(({ path }) => path)));
  assert.is(formatHash(store.queryPathInfo(c.path)!.narHash, "sri"), formatHash(c.narHash, "sri"));
  assert.equal(leftIn(store.realStoreDirectory), []);
  await store.importMany({ infos: [a, b, c, d], open: () => assert.unreachable() as never, atOnce: 3 });
});

test("refuses a .drv file that states wrong paths, and what refers to it, alone", async ({ store }) => {
  // An output path that no derivation of this content can have.
  const output = "/nix/store/dxwkwjzdaq7ka55pkk252gh32bgpmql4-wrong";
  const term = `Derive([("out","${output}","","")],[],[],"s","b",[],[("out","${output}")])`;
  const wrong = text("wrong.drv", [], term);
  const needy = text("needy", [wrong.path]);
  const late = text("late", [d.path]);
  try {
    await store.importMany({ infos: [a, wrong, needy, d, late], open, atOnce: 2 });
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "derivation.inconsistent");
  }
  assert.equal(store.allPaths(), [a, d, late].map(({ path }) => path).sort());
  assert.equal(
    readdirSync(store.realStoreDirectory).filter((name) => !store.isValid(`/nix/store/${name}`)),
    [],
  );
});

test("keeps what is complete when one fails, and nothing that refers to it", async ({ store }) => {
  const broken = (info: PathInfo): AsyncIterable<Uint8Array> => (info === b ? open(a) : open(info));
  try {
    await store.importMany({ infos: [a, b, c, d], open: broken, atOnce: 1 });
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "store.nar-mismatch");
  }
  assert.is(store.isValid(b.path), false);
  assert.is(store.isValid(c.path), false);
  assert.equal(leftIn(store.realStoreDirectory), []);
  assert.is(existsSync(store.realPath(c.path)), false);
  await store.importMany({ infos: [a, b, c, d], open, atOnce: 4 });
  assert.equal(store.allPaths(), [a, b, c, d].map(({ path }) => path).sort());
});

test("replaces what lies where an object belongs and is not valid", async ({ store }) => {
  writeFileSync(store.realPath(store.addText("x", "", [])).replace(/[^/]*$/, a.path.slice(11)), "left over");
  await store.importMany({ infos: [a], open, atOnce: 1 });
  assert.ok(store.isValid(a.path));
});

test("refuses an object whose references are neither valid nor among them", async ({ store }) => {
  try {
    await store.importMany({ infos: [b], open, atOnce: 1 });
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "store.reference-not-valid");
  }
  assert.equal(store.allPaths(), []);
  assert.equal(
    leftIn(store.realStoreDirectory).filter((name) => name !== ".links"),
    [],
  );
});

test("importInOrder() takes objects as they come, and keeps those before one that fails", async ({ store }) => {
  async function* coming(...infos: PathInfo[]) {
    for (const info of infos) yield { info, nar: open(info) };
  }
  await store.importInOrder(coming(a));
  async function* vanishing() {
    yield* coming(a, b);
    yield { info: c, nar: open(a) };
  }
  try {
    await store.importInOrder(vanishing());
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "store.nar-mismatch");
  }
  assert.equal(store.allPaths(), [a, b].map(({ path }) => path).sort());
  assert.equal(leftIn(store.realStoreDirectory), []);
  await store.importInOrder(coming(a, b, c, d));
  assert.equal(store.closure([c.path, d.path]).length, 4);
});

test.run();

import { chmodSync, readdirSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, concatBytes } from "../../base/index.ts";
import { beginEvaluation, derivation } from "../../derivation/index.ts";
import { exportPaths, narLength, type StorePath } from "../../store/index.ts";
import { WireReader } from "../../store/wire/index.ts";
import { makeSourceHost } from "../files/index.ts";
import type { LocalStore } from "./index.ts";
import { openTemporaryStore } from "./testing.ts";

interface Context {
  from: ReturnType<typeof openTemporaryStore>;
  to: ReturnType<typeof openTemporaryStore>;
}

const test = suite<Context>("streams of objects");
test.before.each((context) => {
  context.from = openTemporaryStore();
  context.to = openTemporaryStore();
});
test.after.each(({ from, to }) => {
  from.close();
  to.close();
});

async function exported(store: LocalStore, paths: readonly StorePath[]): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of exportPaths(store, paths)) pieces.push(piece);
  return concatBytes(pieces);
}

async function* inPieces(bytes: Uint8Array, sizeBytes = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += sizeBytes) yield bytes.slice(at, at + sizeBytes);
}

function take(store: LocalStore, bytes: Uint8Array): Promise<StorePath[]> {
  return store.importStream(new WireReader(inPieces(bytes)));
}

/** A chain: each object refers to the one before. */
async function chain(store: LocalStore, count: number): Promise<StorePath[]> {
  const paths: StorePath[] = [];
  await store.batch(() => {
    for (let i = 0; i < count; i++) paths.push(store.addText(`t${i}`, `${i} ${paths.at(-1) ?? ""}`, paths.slice(-1)));
  });
  return paths;
}

async function rejects(code: string, promise: Promise<unknown>): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (fault: CodedError) => fault,
  );
  assert.is(error?.code, code, error?.stack);
}

/** Nothing but the objects themselves: no temporary place, no lock file. */
function assertTidy(store: LocalStore): void {
  assert.equal(
    readdirSync(store.realStoreDirectory)
      .map((name) => `/nix/store/${name}`)
      .sort(),
    [...store.allPaths()].sort(),
  );
}

test("importStream() makes objects valid with what the stream says of them, and once", async ({ from, to }) => {
  const paths = await chain(from.store, 300);
  const bytes = await exported(from.store, paths);
  const found = await take(to.store, bytes);
  assert.equal([...found].sort(), [...paths].sort());
  for (const path of paths) {
    const { narHash, narSize, references } = from.store.queryPathInfo(path) as never;
    const info = to.store.queryPathInfo(path);
    assert.equal(
      { narHash: info?.narHash, narSize: info?.narSize, references: info?.references },
      { narHash, narSize, references },
    );
    // Source: store-formats, "an import drops content address and signatures".
    assert.is(info?.ca, undefined);
  }
  assertTidy(to.store);
  assert.equal(await take(to.store, bytes), found);
  assertTidy(to.store);
});

test("importStream() registers the outputs of derivations, and refuses one that lies", async ({ from, to }) => {
  const evaluation = beginEvaluation(makeSourceHost());
  const { drvPath, outPath } = derivation({ name: "d", system: "s", builder: "b" });
  from.store.addDerivationText(drvPath, evaluation.derivations.get(drvPath) as string);
  await take(to.store, await exported(from.store, [drvPath as StorePath]));
  assert.equal(to.store.queryValidDerivers(outPath as StorePath), [drvPath]);
  const wrong = derivation({ name: "wrong", system: "s", builder: "b" });
  from.store.addDerivationText(wrong.drvPath, evaluation.derivations.get(wrong.drvPath) as string);
  const bytes = await exported(from.store, [wrong.drvPath as StorePath]);
  const text = Buffer.from(bytes).toString("latin1");
  const other = wrong.outPath.replace("wrong", "wrung");
  await rejects(
    "derivation.inconsistent",
    take(to.store, Buffer.from(text.replaceAll(wrong.outPath, other), "latin1")),
  );
  assert.not(to.store.isValid(wrong.drvPath));
});

test("importStream() keeps what came before a fault", async ({ from, to }) => {
  const [a, b, c] = (await chain(from.store, 3)) as [StorePath, StorePath, StorePath];
  const whole = await exported(from.store, [a, b, c]);
  const withoutB = concatBytes([...(await halves(from.store, [a])), ...(await halves(from.store, [c])), narLength(0)]);
  await rejects("store.reference-not-valid", take(to.store, withoutB));
  assert.equal([to.store.isValid(a), to.store.isValid(c)], [true, false]);
  await rejects("export.malformed", take(to.store, whole.subarray(0, whole.length - 30)));
  assert.equal([to.store.isValid(b), to.store.isValid(c)], [true, false]);
  await rejects(
    "nar.malformed",
    take(to.store, Buffer.from(Buffer.from(whole).toString("latin1").replace("regular", "regulus"), "latin1")),
  );
  assert.equal(await to.store.importStream(new WireReader(inPieces(whole, 7))).then((paths) => paths.length), 3);
});

/** The stream of one path without its end. */
async function halves(store: LocalStore, paths: StorePath[]): Promise<Uint8Array[]> {
  return [(await exported(store, paths)).slice(0, -8)];
}

test("importStream() waits for who writes the same object, and replaces leftovers", async ({ from, to }) => {
  const paths = await chain(from.store, 3);
  const bytes = await exported(from.store, paths);
  const [first, second] = paths as [StorePath, StorePath];
  const held = await to.store.lockPaths([first]);
  writeFileSync(to.store.realPath(second), "half of it");
  let done = false;
  const taking = take(to.store, bytes).then(() => {
    done = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.is(done, false);
  held?.release();
  await taking;
  for (const path of paths) assert.ok(to.store.isValid(path));
  assertTidy(to.store);
});

/** Do something at the first moment at which an object is registered. */
function whenRegistered(store: LocalStore, path: StorePath, act: (real: string) => void): void {
  const placeOf = store.placeOf.bind(store);
  let acted = false;
  store.placeOf = (asked) => {
    if (!acted && asked === path && store.queryPathInfo(path) !== undefined) {
      acted = true;
      act(placeOf(path));
    }
    return placeOf(asked);
  };
}

test("importStream() gives up what somebody wrote anew who had looked before, and died", async ({ from, to }) => {
  const paths = await chain(from.store, 3);
  const [first, second, third] = paths as [StorePath, StorePath, StorePath];
  whenRegistered(to.store, second, (real) => {
    writeFileSync(`${real}.lock`, "");
    chmodSync(real, 0o644);
    writeFileSync(real, "half");
  });
  const bytes = await exported(from.store, paths);
  await rejects("store.contested", take(to.store, bytes));
  assert.equal(
    [first, second, third].map((path) => to.store.isValid(path)),
    [true, false, false],
  );
  await take(to.store, bytes);
  assert.ok(to.store.isValid(third));
  assertTidy(to.store);
});

test("importStream() accepts what somebody is done with who had looked before", async ({ from, to }) => {
  const paths = await chain(from.store, 3);
  whenRegistered(to.store, paths[1] as StorePath, (real) => writeFileSync(`${real}.lock`, ""));
  await take(to.store, await exported(from.store, paths));
  for (const path of paths) assert.ok(to.store.isValid(path));
  assertTidy(to.store);
});

test.run();

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../../base/index.ts";
import { makeRealisationId, publicKeyOf, type Realisation, type StorePath } from "../../store/index.ts";
import { removeTree } from "../files/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { DaemonStore } from "../remote-store/index.ts";
import { dialInside } from "../remote-store/testing.ts";
import { generateSecretKey, writeSecretKey } from "../signing/index.ts";
import { localServices, runWorkerConnection } from "../store-server/index.ts";
import { copyPaths, copyRealisations, findRealisation, openStoreUrl } from "./index.ts";

interface Context {
  readonly source: ReturnType<typeof openTemporaryStore>;
  readonly target: ReturnType<typeof openTemporaryStore>;
  readonly directory: string;
  readonly paths: readonly [lib: StorePath, app: StorePath];
}

const test = suite<Context>("copying what outputs became");
const key = generateSecretKey("cache-1");
const trusted = [publicKeyOf(key)];
const [LIB, APP] = [1, 2].map((byte) => makeRealisationId(new Uint8Array(32).fill(byte), "out")) as [string, string];

test.before.each((context) => {
  const source = openTemporaryStore();
  const lib = source.store.addText("lib", "lib", []);
  const app = source.store.addText("app", lib, [lib]);
  const first: Realisation = { id: LIB, outPath: lib, signatures: [], dependentRealisations: new Map() };
  source.store.addRealisations([
    first,
    { id: APP, outPath: app, signatures: [], dependentRealisations: new Map([[LIB, lib]]) },
  ]);
  const directory = mkdtempSync(join(tmpdir(), "floe-realisations-"));
  Object.assign(context, { source, target: openTemporaryStore(), directory, paths: [lib, app] });
});
test.after.each(({ source, target, directory }) => {
  source.close();
  target.close();
  removeTree(directory);
});

const known = ({ store }: Context["target"]): (Realisation | undefined)[] =>
  [LIB, APP].map((id) => store.queryRealisation(id));

test("from one store of this machine to another, where everything is believed", async (context) => {
  const { source, target, paths } = context;
  const options = { from: source.store, to: target.store, paths: paths.slice(1) };
  await copyPaths({ ...options, trusted: [] });
  assert.equal(await copyRealisations({ ...options, trusted }), { copied: 0, refused: 2 });
  assert.equal(known(target), [undefined, undefined]);
  assert.equal(await copyRealisations({ ...options, trusted: "all" }), { copied: 2, refused: 0 });
  assert.equal(known(target), known(source));
});

test("nothing is told of what is not there", async ({ source, target, paths }) => {
  const options = { from: source.store, to: target.store, paths: paths.slice(0, 1), trusted: "all" } as const;
  await copyPaths(options);
  assert.equal(await copyRealisations({ ...options, paths }), { copied: 1, refused: 0 });
  assert.is(known(target)[1], undefined);
});

test("through a cache that signs them", async ({ source, target, directory, paths }) => {
  const file = join(directory, "key");
  writeSecretKey(file, key);
  using cache = await openStoreUrl(`file://${directory}/cache?secret-key=${file}`, { create: true });
  const push = { from: source.store, to: cache, paths, trusted: "all" } as const;
  await copyPaths(push);
  assert.equal(await copyRealisations(push), { copied: 2, refused: 0 });
  const found = await findRealisation(cache, APP, trusted);
  assert.is(found?.outPath, paths[1]);
  try {
    await findRealisation(cache, APP, []);
    assert.unreachable();
  } catch (error) {
    assert.is((error as CodedError).code, "signature.untrusted");
  }
  const pull = { from: cache, to: target.store, paths: paths.slice(1), ids: [APP] };
  await copyPaths({ ...pull, trusted });
  assert.equal(await copyRealisations({ ...pull, trusted: [] }), { copied: 0, refused: 2 });
  assert.equal(await copyRealisations({ ...pull, trusted }), { copied: 2, refused: 0 });
  assert.equal(
    known(target).map((each) => each?.outPath),
    paths,
  );
  assert.match(known(target)[1]?.signatures[0] ?? "", /^cache-1:/);
});

for (const isTrusted of [true, false]) {
  test(`to a daemon that ${isTrusted ? "trusts" : "does not trust"} us, and back`, async (context) => {
    const { source, target, paths } = context;
    const services = localServices(target.store);
    using daemon = new DaemonStore({
      where: '"tested"',
      dial: dialInside((input, output) => runWorkerConnection({ services, input, output, trusted: isTrusted })),
    });
    const options = { from: source.store, to: daemon, paths, trusted: "all" } as const;
    await copyPaths(options);
    const told = await copyRealisations(options);
    assert.equal(told, isTrusted ? { copied: 2, refused: 0 } : { copied: 0, refused: 2 });
    if (!isTrusted) return assert.equal(known(target), [undefined, undefined]);
    assert.equal(known(target), known(source));
    assert.equal(await findRealisation(daemon, APP, "all"), known(source)[1]);
    const third = openTemporaryStore();
    try {
      const back = { from: daemon, to: third.store, paths: paths.slice(1), ids: [APP], trusted: "all" } as const;
      await copyPaths(back);
      assert.equal(await copyRealisations(back), { copied: 2, refused: 0 });
      assert.equal(known(third), known(source));
    } finally {
      third.close();
    }
  });
}

test.run();

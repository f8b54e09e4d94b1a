import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  type DeletionPlan,
  type GcGraph,
  GcGraphBuilder,
  type GcSettings,
  makeTextPath,
  planDelete,
  planGc,
  readStoreEntry,
  type StorePath,
  storePathBaseName,
  storePathDigest,
  takeForBytes,
} from "./index.ts";

const NIX: GcSettings = { keepDerivations: true, keepOutputs: false, keepBuildInputs: false };

/** A store as a person would write it down. */
interface Model {
  readonly [name: string]: {
    readonly references?: readonly string[];
    readonly deriver?: string;
    readonly outputs?: readonly string[];
    readonly sizeBytes?: number;
  };
}

const pathOf = (name: string): StorePath => makeTextPath(name, "", []);
const nameOf = (path: string): string => storePathBaseName(path as StorePath).slice(33);

function graphOf(model: Model): GcGraph {
  const builder = new GcGraphBuilder();
  const nodes = new Map<string, number>();
  for (const [name, { deriver, sizeBytes = 1 }] of Object.entries(model)) {
    nodes.set(name, builder.addObject(pathOf(name), sizeBytes, deriver === undefined ? undefined : pathOf(deriver)));
  }
  for (const [name, { references = [], outputs = [] }] of Object.entries(model)) {
    for (const each of references) builder.addReference(nodes.get(name) as number, nodes.get(each) as number);
    for (const each of outputs) builder.addOutput(nodes.get(name) as number, pathOf(each));
  }
  return builder.build();
}

/** The definition, word for word: add what live objects keep until nothing is added. */
function naiveLive(model: Model, roots: readonly string[], settings: GcSettings): string[] {
  const live = new Set(roots.filter((name) => name in model));
  if (settings.keepBuildInputs) {
    for (const root of [...live].filter((name) => name.endsWith(".drv"))) {
      for (const input of model[root]?.references ?? []) {
        if (input.endsWith(".drv")) for (const output of outputsOf(model, input)) live.add(output);
      }
    }
  }
  for (let before = -1; before !== live.size; ) {
    before = live.size;
    for (const name of [...live]) {
      const { references = [], deriver } = model[name] ?? {};
      for (const each of references) live.add(each);
      if (settings.keepDerivations && deriver !== undefined && deriver in model) live.add(deriver);
      if (settings.keepOutputs) for (const each of outputsOf(model, name)) live.add(each);
    }
  }
  return [...live].sort();
}

function outputsOf(model: Model, drv: string): string[] {
  const promised = model[drv]?.outputs ?? [];
  return Object.keys(model).filter((name) => promised.includes(name) || model[name]?.deriver === drv);
}

/** Objects 0 … n - 1, every third a derivation; references go to smaller numbers or to itself. */
const models = fc
  .integer({ min: 0, max: 14 })
  .chain((count) =>
    fc.tuple(
      fc.constant(count),
      fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 10 }),
      fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 10 }),
    ),
  )
  .map(([count, references, derivers, outputs]): Model => {
    const name = (number: number): string => (number % 3 === 0 ? `n${number}.drv` : `n${number}`);
    const drvBelow = (number: number): string => name(number - (number % 3));
    return Object.fromEntries(
      Array.from({ length: count }, (_, number) => [
        name(number),
        {
          references: [
            ...new Set(references.filter(([a, b]) => Math.max(a, b) === number).map(([a, b]) => name(Math.min(a, b)))),
          ],
          // Some derivers are not there.
          ...(derivers.some(([a]) => a === number)
            ? { deriver: drvBelow(derivers.find(([a]) => a === number)?.[1] as number) }
            : {}),
          outputs: number % 3 === 0 ? outputs.filter(([a]) => a === number).map(([, b]) => name(b)) : [],
          sizeBytes: number,
        },
      ]),
    );
  });
const settings: fc.Arbitrary<GcSettings> = fc.record({
  keepDerivations: fc.boolean(),
  keepOutputs: fc.boolean(),
  keepBuildInputs: fc.boolean(),
});
const someOf = (model: Model, picks: readonly number[]): string[] => {
  const names = [...Object.keys(model), "absent"];
  return [...new Set(picks.map((pick) => names[pick % names.length] as string))];
};
const picks = fc.array(fc.nat(100), { maxLength: 4 });

test("planGc() keeps what the definition keeps, and orders the rest referrers first", () => {
  fc.assert(
    fc.property(models, settings, picks, (model, how, chosen) => {
      const roots = someOf(model, chosen);
      const plan = planGc({ graph: graphOf(model), roots: roots.map(pathOf), temporaryRoots: [], settings: how });
      const live = naiveLive(model, roots, how);
      assert.equal(plan.livePaths().map(nameOf).sort(), live);
      const dead = plan.deadPaths().map(nameOf);
      assert.equal([...dead, ...live].sort(), Object.keys(model).sort());
      const place = new Map(dead.map((name, at) => [name, at]));
      for (const name of dead) {
        for (const reference of model[name]?.references ?? []) {
          if (reference === name || !place.has(reference)) continue;
          assert.ok((place.get(name) as number) < (place.get(reference) as number), `${name} before ${reference}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("protect() keeps a path and what it keeps from then on, as if it had been a root from the start", () => {
  fc.assert(
    fc.property(models, settings, picks, picks, (model, how, first, later) => {
      const graph = graphOf(model);
      const [roots, more] = [someOf(model, first), someOf(model, later)];
      const plan = planGc({ graph, roots: roots.map(pathOf), temporaryRoots: [], settings: how });
      for (const name of more) plan.protect(pathOf(name));
      const together = planGc({ graph, roots: roots.map(pathOf), temporaryRoots: more.map(pathOf), settings: how });
      assert.equal(plan.livePaths(), together.livePaths());
      for (const name of more) assert.ok(plan.isProtected(storePathDigest(pathOf(name))));
    }),
  );
});

test("a path that is not valid yet protects what has its digest, and nothing else", () => {
  const plan = planGc({ graph: graphOf({ a: {} }), roots: [pathOf("gone")], temporaryRoots: [pathOf("soon"), "/x"] });
  assert.ok(plan.isProtected(storePathDigest(pathOf("soon"))));
  assert.not.ok(plan.isProtected(storePathDigest(pathOf("gone"))));
  assert.equal(plan.deadPaths(), [pathOf("a")]);
});

test("a derivation that is a root keeps what its builder needs, one step far", () => {
  const model: Model = {
    "cc.drv": { outputs: ["cc"] },
    cc: { references: ["libc"], deriver: "cc.drv" },
    libc: {},
    "lib.drv": { references: ["cc.drv"], outputs: ["lib"] },
    lib: { references: ["libc"], deriver: "lib.drv" },
    "shell.drv": { references: ["lib.drv", "src"], outputs: ["shell"] },
    shell: {},
    src: {},
  };
  const live = (how?: GcSettings) =>
    planGc({
      graph: graphOf(model),
      roots: [pathOf("shell.drv")],
      temporaryRoots: [],
      ...(how === undefined ? {} : { settings: how }),
    })
      .livePaths()
      .map(nameOf);
  assert.equal(live(), ["cc.drv", "libc", "lib.drv", "lib", "shell.drv", "src"]);
  assert.equal(live(NIX), ["cc.drv", "lib.drv", "shell.drv", "src"]);
  assert.equal(live({ ...NIX, keepOutputs: true }), Object.keys(model));
});

test("a circle in a damaged store is deleted like everything else", () => {
  const graph = graphOf({ a: { references: ["b"] }, b: { references: ["a"] }, c: { references: ["a"] } });
  const dead = planGc({ graph, roots: [], temporaryRoots: [] }).deadPaths().map(nameOf);
  assert.is(dead[0], "c");
  assert.equal(dead.sort(), ["a", "b", "c"]);
});

test("takeForBytes() takes the fewest whose sizes are enough, and at least one", () => {
  const graph = graphOf({ a: { sizeBytes: 10 }, b: { sizeBytes: 10 }, c: { sizeBytes: 10 } });
  const plan = planGc({ graph, roots: [], temporaryRoots: [] });
  const take = (from: number, wantedBytes: number, atMost = 9) => takeForBytes(plan, { from, wantedBytes, atMost });
  assert.equal([take(0, 0), take(0, 10), take(0, 11), take(2, 100), take(3, 100)], [1, 1, 2, 1, 0]);
  assert.is(take(0, Number.POSITIVE_INFINITY, 2), 2);
});

const short = ({ order, alive, referred }: DeletionPlan, graph: GcGraph) => ({
  order: order.map((node) => nameOf(graph.paths[node] as string)),
  alive: alive.map(nameOf),
  referred: referred.map(({ path, referrer }) => `${nameOf(path)} by ${nameOf(referrer)}`),
});

test("planDelete() deletes what is named, and refuses what is live or referred to", () => {
  const graph = graphOf({ lib: {}, app: { references: ["lib"] }, old: { references: ["lib", "own"] }, own: {} });
  const plan = planGc({ graph, roots: [pathOf("app")], temporaryRoots: [] });
  const none = { recursive: false, alsoReferrers: false, skipAlive: false, ignoreLiveness: false };
  const run = (names: string[], how: Partial<typeof none> = {}) =>
    short(planDelete({ plan, paths: names.map(pathOf), ...none, ...how }), graph);
  assert.equal(run(["old"]), { order: ["old"], alive: [], referred: [] });
  assert.equal(run(["own"]), { order: [], alive: [], referred: ["own by old"] });
  assert.equal(run(["own", "old"]), { order: ["old", "own"], alive: [], referred: [] });
  assert.equal(run(["old"], { recursive: true }), { order: ["old", "own"], alive: [], referred: [] });
  assert.equal(run(["app"]), { order: [], alive: ["app"], referred: [] });
  assert.equal(run(["app", "old"], { skipAlive: true }), { order: ["old"], alive: [], referred: [] });
  assert.equal(run(["app"], { ignoreLiveness: true }), { order: ["app"], alive: [], referred: [] });
  assert.equal(run(["own"], { alsoReferrers: true }), { order: ["old", "own"], alive: [], referred: [] });
  assert.equal(run(["own"], { alsoReferrers: true, skipAlive: true }).order, ["old", "own"]);
  assert.equal(run(["lib"], { alsoReferrers: true, ignoreLiveness: true }).alive, ["app"]);
  assert.equal(run(["lib"], { alsoReferrers: true, ignoreLiveness: true, skipAlive: true }).order, ["old"]);
  assert.equal(run(["lib"], { ignoreLiveness: true }).order, []);
  assert.equal(run(["lib"], { ignoreLiveness: true }).referred.length, 1);
});

test("planDelete() never leaves an object without what it refers to", () => {
  fc.assert(
    fc.property(
      models,
      picks,
      picks,
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      (model, roots, named, recursive, alsoReferrers, ignoreLiveness) => {
        const graph = graphOf(model);
        const plan = planGc({ graph, roots: someOf(model, roots).map(pathOf), temporaryRoots: [] });
        const paths = someOf(model, named).map(pathOf);
        const { order } = planDelete({ plan, paths, recursive, alsoReferrers, skipAlive: true, ignoreLiveness });
        const gone = new Set(order.map((node) => nameOf(graph.paths[node] as string)));
        for (const [name, { references = [] }] of Object.entries(model)) {
          if (!gone.has(name)) for (const reference of references) assert.not.ok(gone.has(reference), reference);
          if (!ignoreLiveness && gone.has(name)) assert.not.ok(plan.isLive(graph.nodes.get(pathOf(name)) as number));
        }
      },
    ),
  );
});

test("readStoreEntry() tells objects, locks and temporary things apart", () => {
  const digest = storePathDigest(pathOf("x"));
  assert.equal(readStoreEntry(`${digest}-x`), { digest, isLock: false });
  assert.equal(readStoreEntry(`${digest}-x.lock`), { digest, isLock: true });
  assert.equal(readStoreEntry(`${digest}-x.drv.chroot`), { digest, isLock: false });
  assert.equal(readStoreEntry(`${digest}-x.tmp-77-3`), { digest, maker: 77, isLock: false });
  for (const name of [".tmp-link-77-8123", "add-77-0", "nix-77-12", "tmp-77-1"]) {
    assert.equal(readStoreEntry(name), { maker: 77, isLock: false }, name);
  }
  for (const name of ["leftover", "a b", "tmp-x-1", digest]) assert.equal(readStoreEntry(name), { isLock: false });
});

test.run();

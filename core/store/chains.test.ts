import { test } from "uvu";
import * as assert from "uvu/assert";
import { findChains, makeTextPath, type StorePath } from "./index.ts";

const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name) => makeTextPath(name, "", [])) as [
  StorePath,
  StorePath,
  StorePath,
  StorePath,
  StorePath,
];
/** a → b → c → d, a → c, d → d, e alone. */
const graph = new Map([
  [a, [b, c]],
  [b, [c]],
  [c, [d]],
  [d, [d]],
  [e, []],
]);
const referencesOf = (path: StorePath): StorePath[] => graph.get(path) ?? [];

test("findChains() gives the shortest chain", () => {
  assert.equal(
    findChains(a, d, { referencesOf }),
    new Map([
      [c, [d]],
      [a, [c]],
    ]),
  );
});

test("findChains() gives every chain when asked to", () => {
  const chains = findChains(a, d, { referencesOf, all: true });
  assert.equal(new Set(chains?.get(a)), new Set([b, c]));
  assert.equal(chains?.get(b), [c]);
  assert.equal(chains?.get(c), [d]);
  assert.is(chains?.get(e), undefined);
});

test("findChains() tells when nothing leads there, and what refers to itself", () => {
  assert.is(findChains(a, e, { referencesOf }), undefined);
  assert.is(findChains(c, c, { referencesOf }), undefined);
  assert.equal(findChains(d, d, { referencesOf }), new Map([[d, [d]]]));
  assert.equal(findChains(d, d, { referencesOf, all: true }), new Map([[d, [d]]]));
});

test.run();

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import { closureOf, type StorePath } from "./index.ts";

const graph =
  (edges: Record<string, string[]>) =>
  (path: StorePath): StorePath[] =>
    (edges[path] ?? []) as StorePath[];
const paths = (...names: string[]): StorePath[] => names as StorePath[];

test("closureOf() gives references before referrers, each once", () => {
  const references = graph({ top: ["left", "right"], left: ["base"], right: ["base", "right"], base: ["base"] });
  assert.equal(closureOf(paths("top"), references), ["base", "left", "right", "top"]);
});

test("the closure of a closure is itself", () => {
  // Edges from larger to smaller numbers only: no cycles.
  const edges = fc.array(fc.tuple(fc.nat(20), fc.nat(20)), { maxLength: 60 });
  fc.assert(
    fc.property(edges, fc.nat(20), (pairs, start) => {
      const references = (path: StorePath) =>
        paths(
          ...pairs.filter(([a, b]) => `${Math.max(a, b)}` === path && a !== b).map(([a, b]) => `${Math.min(a, b)}`),
        );
      const closure = closureOf(paths(`${start}`), references);
      assert.equal(closureOf(closure, references).sort(), [...closure].sort());
      const place = new Map(closure.map((path, i) => [path, i]));
      for (const path of closure)
        for (const r of references(path)) assert.ok((place.get(r) as number) < (place.get(path) as number));
    }),
  );
});

test("closureOf() refuses a cycle and walks deep graphs", () => {
  assert.throws(
    () => closureOf(paths("a"), graph({ a: ["b"], b: ["a"] })),
    (error: CodedError) => error.code === "store.reference-cycle",
  );
  const deep = (path: StorePath) => (Number(path) > 0 ? paths(`${Number(path) - 1}`) : []);
  assert.is(closureOf(paths("50000"), deep).length, 50001);
});

test.run();

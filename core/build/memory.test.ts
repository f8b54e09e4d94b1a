import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";
import { declaredMemory, formatMemoryRecord, memoryKey, parseMemoryRecord, withPeak } from "./memory.ts";
import { drv, graph } from "./testdata/graph.ts";

const plain = graph({})(drv("plain-1.0"));
const withEnv = (env: Record<string, string>): Derivation => ({ ...plain, env });
const G = 2 ** 30;

test("declaredMemory() reads what a derivation says it needs", () => {
  assert.is(declaredMemory(plain), undefined);
  assert.is(declaredMemory(withEnv({ requiredMemory: "" })), undefined);
  assert.is(declaredMemory(withEnv({ requiredMemory: "4G" })), 4 * G);
  assert.is(declaredMemory(withEnv({ __json: '{"requiredMemory":1024}' })), 1024);
  assert.is(declaredMemory(withEnv({ __json: '{"requiredMemory":"1.5G"}' })), 1.5 * G);
  for (const env of [{ requiredMemory: "much" }, { __json: '{"requiredMemory":["4G"]}' }])
    assert.throws(
      () => declaredMemory(withEnv(env as Record<string, string>)),
      (error: CodedError) => error.code === "build.bad-memory" && error.exitCode === 100,
    );
});

test("memoryKey() is the same for every version", () => {
  assert.is(memoryKey({ ...plain, name: "linux-6.1.3" }), "linux");
  assert.is(memoryKey({ ...plain, name: "linux-headers-6.1" }), "linux-headers");
});

test("withPeak() remembers the last time, forgets what became small, and does not grow for ever", () => {
  const one = withPeak(new Map([["b", G]]), "a", 2 * G);
  assert.equal(
    [...one],
    [
      ["b", G],
      ["a", 2 * G],
    ],
  );
  assert.equal(
    [...withPeak(one, "b", 3 * G)],
    [
      ["a", 2 * G],
      ["b", 3 * G],
    ],
  );
  assert.equal([...withPeak(one, "a", 1000)], [["b", G]]);
  const full = new Map(Array.from({ length: 5001 }, (_, i) => [`n${i}`, G]));
  const record = withPeak(full, "new", G);
  assert.equal([record.size, record.has("n1"), record.has("n2"), record.has("new")], [5000, false, true, true]);
});

test("parseMemoryRecord() is the inverse of formatMemoryRecord(), and takes anything", () => {
  const entries = fc.uniqueArray(fc.tuple(fc.string(), fc.nat()), { selector: ([key]) => key });
  fc.assert(
    fc.property(entries, (list) => {
      assert.equal([...parseMemoryRecord(formatMemoryRecord(new Map(list)))], list);
    }),
  );
  fc.assert(fc.property(fc.string(), fc.json(), (a, b) => void [parseMemoryRecord(a), parseMemoryRecord(b)]));
  assert.equal(
    [...parseMemoryRecord('[["a",1],["b","2"],[3,4],["c",-1],["__proto__",5]]')],
    [
      ["a", 1],
      ["__proto__", 5],
    ],
  );
});

test.run();

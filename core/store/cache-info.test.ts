import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import { formatCacheInfo, parseCacheInfo } from "./index.ts";

test("parseCacheInfo() reads what caches say of themselves", () => {
  // The file of the official cache of Nix, and what `nix copy --to file://…` writes.
  const official = parseCacheInfo("StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 40\n");
  assert.equal(official, { storeDirectory: "/nix/store", wantMassQuery: true, priority: 40 });
  const plain = parseCacheInfo("StoreDir: /nix/store\n");
  assert.equal(plain, { storeDirectory: "/nix/store", wantMassQuery: false, priority: 0 });
  assert.is(formatCacheInfo(plain), "StoreDir: /nix/store\n");
});

test("parseCacheInfo() trims values, and ignores what it does not know", () => {
  const text = "nonsense\r\nStoreDir:/gnu/store  \r\nColour: blue\nWantMassQuery: yes\nPriority:  7\r\n";
  assert.equal(parseCacheInfo(text), { storeDirectory: "/gnu/store", wantMassQuery: false, priority: 7 });
  assert.equal(parseCacheInfo(""), { wantMassQuery: false, priority: 0 });
});

test("parseCacheInfo() refuses a priority that is no number", () => {
  assert.throws(
    () => parseCacheInfo("Priority: high\n"),
    (error: CodedError) => error.code === "cache-info.malformed",
  );
});

test("parseCacheInfo() reads what formatCacheInfo() writes", () => {
  const info = fc.record(
    {
      storeDirectory: fc.constantFrom("/nix/store", "/gnu/store"),
      wantMassQuery: fc.boolean(),
      priority: fc.integer({ min: -1000, max: 1000 }),
    },
    { requiredKeys: ["wantMassQuery", "priority"], noNullPrototype: true },
  );
  fc.assert(fc.property(info, (value) => assert.equal(parseCacheInfo(formatCacheInfo(value)), value)));
});

test.run();

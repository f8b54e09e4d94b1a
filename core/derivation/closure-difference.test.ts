import { test } from "uvu";
import * as assert from "uvu/assert";
import { makeTextPath } from "../store/index.ts";
import { type ClosureMember, diffClosures } from "./index.ts";

const member = (name: string, sizeBytes: number): ClosureMember => ({ path: makeTextPath(name, "", []), sizeBytes });

test("diffClosures() groups outputs and versions by name", () => {
  const before = [
    member("curl-8.8.0", 1000),
    member("curl-8.8.0-dev", 500),
    member("zlib-1.3", 100_000),
    member("gone", 10),
  ];
  const after = [
    member("curl-8.9.1", 1200),
    member("curl-8.9.1-dev", 500),
    member("zlib-1.3", 110_000),
    member("new-1", 9000),
  ];
  assert.equal(diffClosures(before, after), [
    { name: "curl", removed: ["8.8.0"], added: ["8.9.1"], sizeChangeBytes: 200, isLarge: false },
    { name: "gone", removed: [""], added: [], sizeChangeBytes: -10, isLarge: false },
    { name: "new", removed: [], added: ["1"], sizeChangeBytes: 9000, isLarge: true },
    { name: "zlib", removed: [], added: [], sizeChangeBytes: 10_000, isLarge: true },
  ]);
});

test("diffClosures() leaves out what changed by less than 8 KiB", () => {
  assert.equal(diffClosures([member("a-1", 1)], [member("a-1", 8192)]), []);
  assert.is(diffClosures([member("a-1", 1)], [member("a-1", 8193)]).length, 1);
});

test.run();

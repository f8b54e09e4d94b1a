import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Places } from "./places.ts";
import {
  type EvaluationProfile,
  formatCollapsed,
  formatCpuProfile,
  joinProfiles,
  parseProfile,
  timeByFile,
} from "./profile.ts";

const places = new Places([
  { path: "/@floe", hostPath: "/opt/floe", name: "Floe", folders: ["core"] },
  { path: "/@flake", hostPath: "/home/a/flake", name: "the flake" },
]);

const node = (id: number, functionName: string, url: string, line: number, children: readonly number[] = []) => ({
  id,
  callFrame: { functionName, scriptId: "1", url, lineNumber: line - 1, columnNumber: 0 },
  children,
});

const RAW = {
  nodes: [
    node(1, "(root)", "", 0, [2, 7]),
    node(2, "answer", "file:///@floe/core/engine-image.js", 5, [3]),
    node(3, "outputs", "file:///@flake/flake.config.ts", 8, [4]),
    node(4, "define", "file:///@floe/core/engine-image.js", 9, [5]),
    node(5, "run", "file:///@floe/core/engine-image.js", 10, [6]),
    node(6, "", "file:///@flake/my%20web;.ts", 12),
    node(7, "(garbage collector)", "", 0),
  ],
  startTime: 100,
  endTime: 1100,
  samples: [3, 5, 6, 7, 2],
  timeDeltas: [100, 200, 300, 150, 50],
};
const read = (raw: unknown = RAW): EvaluationProfile => parseProfile(JSON.stringify(raw), places);

test("formatCollapsed() names configuration by function, file and line, and folds what is Floe's own", () => {
  assert.is(
    formatCollapsed(read(), "/home/a/flake"),
    [
      "(garbage collector) 150",
      "floe 50",
      "floe;outputs flake.config.ts:8 100",
      "floe;outputs flake.config.ts:8;floe 200",
      "floe;outputs flake.config.ts:8;floe;(anonymous) my web_.ts:12 300",
      "",
    ].join("\n"),
  );
});

test("timeByFile() counts what Floe does for a file to it", () => {
  assert.equal(timeByFile(read(), "/home/a/flake"), [
    ["flake.config.ts", 300],
    ["my web_.ts", 300],
  ]);
  assert.is(timeByFile(read(), "/elsewhere")[0]?.[0], "/home/a/flake/flake.config.ts");
});

test("formatCpuProfile() has places of this machine, and is what V8 writes otherwise", () => {
  const written = JSON.parse(formatCpuProfile(read()));
  assert.is(written.nodes[2].callFrame.url, "/home/a/flake/flake.config.ts");
  assert.equal(Object.keys(written).sort(), ["endTime", "nodes", "samples", "startTime", "timeDeltas"]);
  assert.equal([...new Set(written.nodes.flatMap(Object.keys))].sort(), ["callFrame", "children", "id"]);
});

test("joinProfiles() keeps the time of every stack, however many there are", () => {
  const total = (text: string): number =>
    text
      .trim()
      .split("\n")
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5 }), (count) => {
      const joined = joinProfiles(Array.from({ length: count }, () => read()));
      assert.is(total(formatCollapsed(joined, "/")), 800 * count);
      assert.is(joined.endTime - joined.startTime, 1000 * count);
      assert.is(new Set(joined.nodes.map(({ id }) => id)).size, joined.nodes.length);
      assert.is(formatCollapsed(joined, "/").split("\n").length, formatCollapsed(read(), "/").split("\n").length);
    }),
  );
});

test("parseProfile() refuses what is none", () => {
  for (const json of ["", "{", "[]", '{"nodes":[{}]}', JSON.stringify({ ...RAW, samples: ["a"] })])
    assert.throws(
      () => parseProfile(json, places),
      (error: { code?: string }) => error.code === "evaluation.malformed-answer",
    );
});

test.run();

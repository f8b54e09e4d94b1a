import { test } from "uvu";
import * as assert from "uvu/assert";
import { fromBase64 } from "../../core/base/index.ts";
import { fuzzTarget } from "./fuzz-target.ts";
import type { WorkerReport } from "./worker.ts";

const targets = new URL("testdata/broken-targets.ts", import.meta.url).href;
const run = (target: string, rest: object = {}): Promise<WorkerReport> =>
  fuzzTarget({ targets, target, seed: 1, first: 0, end: 20_000, ...rest });

async function faultOf(target: string, rest: object = {}) {
  const report = await run(target, rest);
  if (report.kind === "fault") return report;
  throw new Error(`expected a fault in "${target}"`);
}

test("fuzzTarget() finds nothing in a reader that refuses as it should", async () => {
  const report = await run("sound");
  assert.ok(report.kind === "done" && report.accepted > 1000 && report.refused > 1000);
  assert.equal(await run("sound"), report, "the same seed gives the same cases");
});

test("fuzzTarget() finds a crash, makes its input small, and repeats it", async () => {
  const report = await faultOf("crash");
  assert.match(report.words, /^TypeError: .*\n.*broken-targets/s);
  assert.equal([...fromBase64(report.input)], [0xff]);
  const rest = { first: report.index, end: report.index + 1 };
  assert.is((await faultOf("crash", rest)).input, report.input);
  assert.is(
    (await faultOf("crash", { ...rest, input: fromBase64(report.input) })).words.split("\n")[0],
    report.words.split("\n")[0],
  );
});

test("fuzzTarget() finds a property that does not hold", async () => {
  assert.match((await faultOf("wrong")).words, /what was written is read differently/);
});

test("fuzzTarget() ends a reader that hangs and names the case", async () => {
  const report = await faultOf("hang", { hangSeconds: 2 });
  assert.match(report.words, /^hangs/);
  assert.is(
    (await faultOf("hang", { hangSeconds: 2, first: report.index, end: report.index + 1 })).index,
    report.index,
  );
});

test("fuzzTarget() finds readers that take too much memory", async () => {
  assert.match((await faultOf("heap", { heapMegabytes: 64 })).words, /ERR_WORKER_OUT_OF_MEMORY|memory/);
  assert.match((await faultOf("buffers")).words, /holds more than \d+ bytes/);
});

test.run();

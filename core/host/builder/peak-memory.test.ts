import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseMemoryRecord } from "../../build/index.ts";
import type { DerivationValue } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import { findNativeProgram } from "../sandbox/index.ts";
import { buildPaths } from "./build-paths.ts";
import { PeakMemory } from "./peak-memory.ts";
import { openBuildBench } from "./testdata/build-bench.ts";

const test = suite("memory of builds");
const bench = await openBuildBench();

if (typeof bench === "string") {
  console.log(`skipped: ${bench}`);
} else {
  const { store, script } = bench;
  const file = `${store.stateDirectory}/floe/build-memory.json`;

  /** Says when it ran. */
  const timed = "read from rest < /proc/uptime; sleep 0.15; read to rest < /proc/uptime; echo $from $to > $out";

  /** Whether two such builds ran at the same time. */
  async function ranTogether(values: readonly DerivationValue[], memoryBudgetBytes?: number): Promise<boolean> {
    const targets = values.map(({ drvPath }) => ({ drvPath: drvPath as StorePath }));
    const report = await buildPaths({ store, targets, options: { maxJobs: 2, memoryBudgetBytes } });
    assert.is(report.exitCode, 0, report.failures.map(({ error }) => error.message).join());
    const times = report.outputs.map((path) => readFileSync(store.realPath(path), "utf8").split(" ").map(Number));
    const [[fromA = 0, toA = 0] = [], [fromB = 0, toB = 0] = []] = times;
    return fromA < toB && fromB < toA;
  }
  async function two(names: readonly string[], env: Record<string, string> = {}): Promise<DerivationValue[]> {
    const made: DerivationValue[] = [];
    for (const name of names) made.push(await script(timed, { name, env }));
    return made;
  }

  test("builds that say they need more than there is together run one after the other", async () => {
    assert.is(await ranTogether(await two(["a-1", "b-1"], { requiredMemory: "6G" }), 10 * 2 ** 30), false);
    assert.is(await ranTogether(await two(["a-3", "b-3"], { requiredMemory: "900T" })), false);
  });

  test("memory that cannot be read is the failure of that build", async () => {
    const report = await bench.build(await script("echo > $out", { name: "bad", env: { requiredMemory: "lots" } }));
    assert.equal(
      report.failures.map(({ error }) => [error.code, error.exitCode]),
      [["build.bad-memory", 100]],
    );
  });

  const native = findNativeProgram() === undefined ? test.skip : test;
  if (findNativeProgram() === undefined) console.log("skipped: floe-sandbox is not there, so nobody counts memory");

  native("what a build needed is remembered for its next version, and decides then", async () => {
    // A shell variable of 100 MB.
    const fill = `x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo "\${#x}" > $out`;
    for (const name of ["eager-1", "eater-1"]) assert.is((await bench.build(await script(fill, { name }))).exitCode, 0);
    const record = parseMemoryRecord(readFileSync(file, "utf8"));
    for (const key of ["eager", "eater"]) assert.ok((record.get(key) ?? 0) > 100_000_000, JSON.stringify([...record]));
    const again = await two(["eager-2", "eater-2"]);
    assert.is(await ranTogether(again, 150_000_000), false);
    // It took little this time.
    assert.equal([...parseMemoryRecord(readFileSync(file, "utf8"))], []);
  });

  test("small builds leave no record, and a damaged one counts for nothing", async () => {
    const directory = `${bench.directory}/state`;
    const memory = new PeakMemory(directory);
    const drv = store.readDerivation((await script("echo > $out", { name: "noted-1" })).drvPath);
    memory.note(drv, 1000);
    memory.note(drv, undefined);
    memory.save();
    assert.not.ok(existsSync(`${directory}/floe`));
    memory.note(drv, 10 ** 9);
    memory.save();
    assert.is(new PeakMemory(directory).of({ drv }), 10 ** 9);
    mkdirSync(`${directory}/floe`, { recursive: true });
    writeFileSync(`${directory}/floe/build-memory.json`, "{damaged");
    assert.is(new PeakMemory(directory).of({ drv }), 0);
  });

  test.after(() => bench.close());
}

test.run();

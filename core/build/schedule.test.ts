import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { planBuild, shortName } from "./plan.ts";
import { Schedule, type ScheduleLimits } from "./schedule.ts";
import { drv, graph } from "./testdata/graph.ts";

function schedule(edges: Record<string, string[]>, limits: Partial<ScheduleLimits> = {}, targets = ["top"]): Schedule {
  const plan = planBuild({
    targets: targets.map((name) => ({ drvPath: drv(name) })),
    readDerivation: graph(edges),
    isValid: () => false,
  });
  return new Schedule(plan, { maxJobs: 2, cores: 2, keepGoing: false, ...limits });
}
const names = (started: readonly { job: { drvPath: string } }[]): string[] =>
  started.map(({ job }) => shortName(job.drvPath));

test("Schedule.start() gives as many jobs as slots, the longest chain of dependents first", () => {
  const plan = schedule({ top: ["a", "b", "c"], a: [], b: ["b1"], b1: ["b2"], b2: [], c: ["c1"], c1: [] });
  assert.equal(names(plan.start()), ["b2", "c1"]);
  assert.equal(names(plan.start()), []);
  plan.finish(drv("b2"), true);
  assert.equal(names(plan.start()), ["b1"]);
});

test("Schedule.start() gives downloads slots of their own", () => {
  const plan = schedule({ top: ["a", "b", "fetch1", "fetch2", "fetch3"] }, { maxFetches: 2 });
  assert.equal(names(plan.start()), ["a", "b", "fetch1", "fetch2"]);
});

test("Schedule.start() divides the processors when they are limited", () => {
  const plan = schedule({ top: ["a", "b", "c"] }, { maxJobs: 3, cores: 4, totalCores: 6 });
  assert.equal(
    plan.start().map(({ cores }) => cores),
    [4, 2],
  );
  plan.finish(drv("a"), true);
  assert.equal(
    plan.start().map(({ job, cores }) => [shortName(job.drvPath), cores]),
    [["c", 4]],
  );
});

test("Schedule.finish() after a failure names what is lost and starts nothing more", () => {
  const plan = schedule({ top: ["a", "b"], a: ["x"], b: [] }, { maxJobs: 1 });
  assert.equal(names(plan.start()), ["x"]);
  assert.equal(
    plan.finish(drv("x"), false).map((lost) => [shortName(lost.drvPath), shortName(lost.because)]),
    [
      ["a", "x"],
      ["top", "x"],
    ],
  );
  assert.equal(plan.start(), []);
  assert.ok(plan.isIdle);
  assert.equal(plan.notStarted(), [drv("b")]);
});

test("Schedule.finish() with keepGoing goes on with the rest", () => {
  const plan = schedule({ top: ["a", "b"], a: ["x"], b: [] }, { maxJobs: 1, keepGoing: true });
  plan.start();
  plan.finish(drv("x"), false);
  assert.equal(names(plan.start()), ["b"]);
  plan.finish(drv("b"), true);
  assert.ok(plan.isIdle);
  assert.equal(plan.start(), []);
});

test("Schedule runs every job exactly once, never before its dependencies, never more than the slots", () => {
  const graphs = fc.array(fc.array(fc.nat(30), { maxLength: 4 }), { minLength: 1, maxLength: 30 });
  fc.assert(
    fc.property(graphs, fc.integer({ min: 1, max: 4 }), fc.infiniteStream(fc.nat(3)), (lists, maxJobs, choices) => {
      const edges: Record<string, string[]> = {};
      // Edges point to larger numbers only, so there are no cycles.
      lists.forEach((list, i) => {
        edges[`n${i}`] = [...new Set(list.map((step) => i + 1 + step).filter((j) => j < lists.length))].map(
          (j) => `n${j}`,
        );
      });
      const plan = schedule(edges, { maxJobs }, Object.keys(edges));
      const done = new Set<string>();
      const running: string[] = [];
      const seen: string[] = [];
      for (;;) {
        for (const { job } of plan.start()) {
          for (const dependency of job.dependencies) assert.ok(done.has(dependency));
          running.push(job.drvPath);
          seen.push(job.drvPath);
        }
        assert.ok(running.length <= maxJobs);
        if (plan.isIdle) break;
        const [next] = running.splice((choices.next().value as number) % running.length, 1);
        done.add(next as string);
        plan.finish(next as never, true);
      }
      assert.is(new Set(seen).size, lists.length);
      assert.is(seen.length, lists.length);
    }),
    { numRuns: 50 },
  );
});

test.run();

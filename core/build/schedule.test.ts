import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Offer, type PlanJob, shortName } from "./jobs.ts";
import { planBuild } from "./plan.ts";
import { Schedule, type ScheduleLimits } from "./schedule.ts";
import { drv, graph, out } from "./testdata/graph.ts";

function schedule(edges: Record<string, string[]>, limits: Partial<ScheduleLimits> = {}, targets = ["top"]): Schedule {
  const plan = planBuild({
    targets: targets.map((name) => ({ drvPath: drv(name) })),
    readDerivation: graph(edges),
    isValid: () => false,
  });
  return new Schedule(plan, { maxJobs: 2, cores: 2, keepGoing: false, ...limits });
}
const names = (started: readonly { job: { id: string } }[]): string[] => started.map(({ job }) => shortName(job.id));

test("Schedule.start() gives as many jobs as slots, the longest chain of dependents first", () => {
  const plan = schedule({ top: ["a", "b", "c"], a: [], b: ["b1"], b1: ["b2"], b2: [], c: ["c1"], c1: [] });
  assert.equal(names(plan.start()), ["b2", "c1"]);
  assert.equal(names(plan.start()), []);
  plan.finish(drv("b2"), true);
  assert.equal(names(plan.start()), ["b1"]);
});

test("Schedule.start() gives downloads slots of their own", () => {
  const plan = schedule({ top: ["a", "b", "fetch1", "fetch2", "fetch3"] }, { maxFetches: 2 });
  assert.equal(names(plan.start()), ["fetch1", "fetch2", "a", "b"]);
});

test("Schedule.upcoming() gives what waits for one running build alone", () => {
  const plan = schedule({ top: ["a", "b"], a: ["a1"], a1: [], b: [] });
  const upcoming = (): string[] => plan.upcoming().map((job) => shortName(job.id));
  assert.equal(upcoming(), []);
  assert.equal(names(plan.start()), ["a1", "b"]);
  assert.equal(upcoming(), ["a"]);
  plan.finish(drv("a1"), true);
  assert.equal(upcoming(), []);
  assert.equal(names(plan.start()), ["a"]);
  // It waits for both.
  assert.equal(upcoming(), []);
  plan.finish(drv("b"), true);
  assert.equal(upcoming(), ["top"]);
  plan.stop();
  assert.equal(upcoming(), []);
});

test("Schedule.upcoming() gives no more than run, and no downloads", () => {
  const plan = schedule({ top: ["a", "b", "fetch1"], a: ["x"], b: ["x"], fetch1: ["x"], x: [] }, { maxJobs: 1 });
  plan.start();
  assert.equal(
    plan.upcoming().map((job) => shortName(job.id)),
    ["a"],
  );
});

/** Needs in some unit, by name. */
const memory = (totalBytes: number, needs: Record<string, number>): Partial<ScheduleLimits> => ({
  maxJobs: 10,
  memory: { totalBytes, of: ({ id }) => needs[shortName(id)] ?? 0 },
});

test("Schedule.start() does not start builds together that need more memory than there is", () => {
  const plan = schedule({ top: ["a", "b", "c"] }, memory(10, { a: 6, b: 4, c: 1 }));
  assert.equal(names(plan.start()), ["a", "b"]);
  assert.equal(names(plan.start()), []);
  plan.finish(drv("b"), true);
  assert.equal(names(plan.start()), ["c"]);
});

test("Schedule.start() always starts one build, however much it needs", () => {
  const plan = schedule({ top: ["a", "b"] }, memory(10, { a: 50, b: 50, top: 50 }));
  assert.equal(names(plan.start()), ["a"]);
  assert.equal(names(plan.start()), []);
  plan.finish(drv("a"), true);
  assert.equal(names(plan.start()), ["b"]);
  plan.finish(drv("b"), false);
  assert.ok(plan.isIdle);
});

test("Schedule.start() lets what needs no memory go ahead of what waits for some, and nothing else", () => {
  const plan = schedule({ top: ["a", "b", "c", "d"] }, memory(10, { a: 9, b: 5, c: 1 }));
  assert.equal(names(plan.start()), ["a", "d"]);
  plan.finish(drv("d"), true);
  assert.equal(names(plan.start()), []);
  plan.finish(drv("a"), true);
  assert.equal(names(plan.start()), ["b", "c"]);
});

test("Schedule.start() does not let what needs too much wait for builds that need nothing", () => {
  const plan = schedule({ top: ["z", "a"], a: ["a1"], a1: [] }, { ...memory(10, { z: 50 }), maxJobs: 2 });
  assert.equal(names(plan.start()), ["a1", "z"]);
});

test("Schedule never has more memory promised than there is, unless one build runs alone, and comes to its end", () => {
  const needs = fc.array(fc.nat(12), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(needs, fc.array(fc.nat(100)), (list, picks) => {
      const name = (i: number): string => `j${i}`;
      const all = list.map((_, i) => name(i));
      const of = Object.fromEntries(list.map((need, i) => [name(i), need]));
      const plan = schedule({ top: all }, memory(10, of));
      const running: string[] = [];
      const left = [...picks];
      for (let ended = 0; ended < all.length + 1; ended++) {
        running.push(...names(plan.start()));
        const used = running.reduce((sum, each) => sum + (of[each] ?? 0), 0);
        assert.ok(used <= 10 || running.filter((each) => (of[each] ?? 0) > 0).length === 1, `${running}`);
        assert.ok(running.length > 0);
        const [next] = running.splice((left.pop() ?? 0) % running.length, 1);
        plan.finish(drv(next as string), true);
      }
      assert.ok(plan.isIdle);
    }),
  );
});

test("Schedule.start() divides the processors when they are limited", () => {
  const plan = schedule({ top: ["a", "b", "c"] }, { maxJobs: 3, cores: 4, totalCores: 6 });
  assert.equal(
    plan.start().map(({ cores }) => cores),
    [4, 2],
  );
  plan.finish(drv("a"), true);
  assert.equal(
    plan.start().map(({ job, cores }) => [shortName(job.id), cores]),
    [["c", 4]],
  );
});

test("Schedule.finish() after a failure names what is lost and starts nothing more", () => {
  const plan = schedule({ top: ["a", "b"], a: ["x"], b: [] }, { maxJobs: 1 });
  assert.equal(names(plan.start()), ["x"]);
  assert.equal(
    plan.finish(drv("x"), false).lost.map((lost) => [shortName(lost.id), shortName(lost.because)]),
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

/** A schedule of transfers, each with what it refers to, and of builds that need them. */
function transfers(references: Record<string, string[]>, needs: Record<string, string[]> = {}): Schedule {
  const ranks = { rank: 0, offer: {} as Offer };
  const jobs: PlanJob[] = Object.entries(references).map(([name, to]) => {
    return { ...ranks, kind: "substitute", id: out(name), path: out(name), dependencies: to.map(out) };
  });
  for (const [name, to] of Object.entries(needs)) {
    const why = { kind: "rebuild" } as const;
    const build = { kind: "build", mode: "build", why, rank: 0, id: drv(name), drvPath: drv(name) } as const;
    jobs.push({ ...build, drv: graph({})(drv(name)), dependencies: to.map(out) });
  }
  const limits = { maxJobs: 1, cores: 1, maxSubstitutions: 3, keepGoing: false };
  return new Schedule({ jobs, wanted: [], makers: [], followed: new Map(), validCount: 0 }, limits);
}

test("Schedule starts transfers before what they refer to has come, and says they are done in order", () => {
  const plan = transfers({ app: ["lib"], lib: ["libc"], libc: [], more: [] }, { top: ["app"] });
  assert.equal(names(plan.start()), ["app", "lib", "libc"]);
  assert.equal(plan.finish(out("app"), true), { done: [], lost: [] });
  assert.equal(names(plan.start()), ["more"]);
  assert.equal(plan.finish(out("lib"), true).done, []);
  assert.equal(plan.finish(out("libc"), true).done, [out("libc"), out("lib"), out("app")]);
  assert.equal(names(plan.start()), ["top"]);
});

test("Schedule gives up what refers to a transfer that failed, and goes on with the rest", () => {
  const plan = transfers({ app: ["lib"], lib: [], other: [] }, { top: ["app"], rest: ["other"] });
  plan.start();
  plan.finish(out("app"), true);
  assert.equal(
    plan.finish(out("lib"), false).lost.map(({ id }) => id),
    [out("app"), drv("top")],
  );
  assert.equal(plan.finish(out("other"), true).done, [out("other")]);
  assert.equal(names(plan.start()), ["rest"]);
});

test("Schedule takes no notice of a transfer that comes although what it refers to did not", () => {
  const plan = transfers({ app: ["lib"], lib: [] });
  plan.start();
  plan.finish(out("lib"), false);
  assert.equal(plan.finish(out("app"), true), { done: [], lost: [] });
  assert.ok(plan.isIdle);
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
          running.push(job.id);
          seen.push(job.id);
        }
        assert.ok(running.length <= maxJobs);
        if (plan.isIdle) break;
        const [next] = running.splice((choices.next().value as number) % running.length, 1);
        for (const id of plan.finish(next as never, true).done) done.add(id);
      }
      assert.is(new Set(seen).size, lists.length);
      assert.is(seen.length, lists.length);
    }),
    { numRuns: 50 },
  );
});

test.run();

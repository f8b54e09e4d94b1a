import * as fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, sortedText } from "../base/index.ts";
import type { Derivation, NestedInput } from "../derivation/index.ts";
import type { StorePath } from "../store/index.ts";
import { type FollowJob, isBuildJob, MOST_FOLLOWED, type PlanJob, showFollowed } from "./jobs.ts";
import { type BuildTarget, type FoundTarget, planBuild } from "./plan.ts";
import { Schedule } from "./schedule.ts";
import { drv, out } from "./testdata/graph.ts";

/**
 * A world of derivations by name: what each needs, and which of them have an output that is another one's file. `writer: { writes: "x" }`
 * means that the output of `writer` is `x.drv`.
 */
interface World {
  readonly needs: Readonly<Record<string, readonly string[]>>;
  /** By who needs them: as `writer` or `writer/other`, what is written by it, or by that which is written by it. */
  readonly follows?: Readonly<Record<string, readonly string[]>>;
  readonly writes?: Readonly<Record<string, string>>;
}

interface RunOptions {
  /** Which builds fail. Default none. */
  readonly fails?: (name: string) => boolean;
  /** Which of so many running jobs ends next. Default the first. */
  readonly pick?: (count: number) => number;
}

/** Carries out plans as a host does, with builds that fail at will. */
class Machine {
  readonly valid = new Set<StorePath>();
  readonly built: string[] = [];
  readonly failed: string[] = [];
  readonly lost: StorePath[] = [];
  readonly found: string[] = [];
  readonly errors: CodedError[] = [];
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  outputOf(name: string): StorePath {
    const written = this.#world.writes?.[name];
    return written === undefined ? out(name) : drv(written);
  }

  read = (path: StorePath): Derivation => {
    const name = path.slice(44, -4);
    const { needs, follows = {} } = this.#world;
    assert.ok(Object.hasOwn(needs, name), `no derivation ${name}`);
    const nestedInputs = (follows[name] ?? []).map((way): NestedInput => {
      const [first = "", ...more] = way.split("/");
      return { drvPath: drv(first), through: ["out", ...more.map(() => "out")], outputs: ["out"] };
    });
    const plain = (needs[name] ?? []).map((input) => [drv(input), ["out"]] as const);
    const outer = nestedInputs.map(({ drvPath }) => [drvPath, [] as string[]] as const);
    return {
      name,
      outputs: { out: { path: "", hashAlgorithm: "r:sha256", hash: "" } },
      inputDerivations: new Map<StorePath, readonly string[]>([...outer, ...plain]),
      ...(nestedInputs.length === 0 ? {} : { nestedInputs }),
      inputSources: [],
      system: "s",
      builder: "/bin/sh",
      args: [],
      env: {},
    };
  };

  plan(targets: readonly (BuildTarget | FoundTarget)[]) {
    return planBuild({
      targets,
      readDerivation: this.read,
      isValid: (path) => this.valid.has(path),
      findOutput: ({ drvPath }) => {
        const path = this.outputOf(drvPath.slice(44, -4));
        return this.valid.has(path) ? path : undefined;
      },
    });
  }

  /** Run to the end, going on after failures. */
  run(targets: readonly BuildTarget[], { fails = () => false, pick = () => 0 }: RunOptions = {}): void {
    const schedule = new Schedule(this.plan(targets), {
      ...{ maxJobs: 3, cores: 1, keepGoing: true },
    });
    const running: PlanJob[] = [];
    for (;;) {
      running.push(...schedule.start().map(({ job }) => job));
      const [job] = running.splice(pick(running.length), 1);
      if (job === undefined) break;
      if (isBuildJob(job)) this.#build(schedule, job.id, fails);
      else this.#follow(schedule, job as FollowJob);
    }
    assert.ok(schedule.isIdle);
    assert.equal(schedule.notStarted(), []);
  }

  #build(schedule: Schedule, id: StorePath, fails: (name: string) => boolean): void {
    const name = id.slice(44, -4);
    const { inputDerivations, nestedInputs = [] } = this.read(id);
    // What it needs has to be there before it begins.
    for (const [input, outputs] of inputDerivations)
      if (outputs.length > 0) assert.ok(this.valid.has(this.outputOf(input.slice(44, -4))), `${name} before ${input}`);
    for (const { drvPath, through } of nestedInputs) {
      const inner = through.reduce((at) => this.outputOf(at.slice(44, -4)), drvPath);
      assert.ok(this.valid.has(this.outputOf(inner.slice(44, -4))), `${name} before what is in ${drvPath}`);
    }
    const isGood = !fails(name);
    if (isGood) this.valid.add(this.outputOf(name));
    (isGood ? this.built : this.failed).push(name);
    this.#note(schedule.finish(id, isGood).lost);
  }

  #follow(schedule: Schedule, { id, drvPath, through, outputs, neededBy, isTarget, depth }: FollowJob): void {
    const inner = this.outputOf(drvPath.slice(44, -4));
    const rest = through.slice(1);
    try {
      assert.ok(this.valid.has(inner), `${inner} is followed before it is there`);
      if (!inner.endsWith(".drv")) throw Object.assign(new Error("no plan"), { code: "no-plan" });
      if (depth > MOST_FOLLOWED) throw Object.assign(new Error("too deep"), { code: "too-deep" });
      const target = {
        drvPath: inner,
        outputs,
        neededBy,
        isTarget,
        depth,
        ...(rest.length === 0 ? {} : { through: rest }),
      };
      const { jobs, makers: dependencies } = this.plan([target]);
      this.found.push(inner.slice(44, -4));
      this.#note(schedule.extend(id, { jobs, dependencies, isEnough: () => true }).lost);
    } catch (error) {
      if ((error as Error).name === "Assertion" || (error as CodedError).code === undefined) throw error;
      this.errors.push(error as CodedError);
      this.#note(schedule.finish(id, false).lost);
    }
  }

  #note(lost: readonly { readonly id: StorePath }[]): void {
    this.lost.push(...lost.map(({ id }) => id).filter((id) => id.endsWith(".drv")));
  }
}

const TWO_LEVELS: World = {
  needs: { top: ["lib"], lib: [], maker: ["lib"], middle: [], last: ["extra"], extra: [] },
  follows: { top: ["maker/out"] },
  writes: { maker: "middle", middle: "last" },
};

test("planBuild() follows what is there, and leaves the rest to jobs that follow", () => {
  const machine = new Machine(TWO_LEVELS);
  const first = machine.plan([{ drvPath: drv("top") }]);
  assert.equal(
    first.jobs.map(({ kind, id }) => [kind, id.slice(44)]),
    [
      ["build", "lib.drv"],
      ["build", "maker.drv"],
      ["follow", "maker.drv!out!out^out"],
      ["build", "top.drv"],
    ],
  );
  const follow = first.jobs[2] as FollowJob;
  assert.equal([follow.dependencies, follow.neededBy, follow.depth], [[drv("maker")], [drv("top")], 1]);
  assert.is(showFollowed(follow), "out of out of maker");
  machine.valid.add(out("lib")).add(drv("middle"));
  assert.equal(
    machine.plan([{ drvPath: drv("top") }]).jobs.map(({ id }) => id.slice(44)),
    ["middle.drv", "middle.drv!out^out", "top.drv"],
  );
  machine.valid.add(drv("last"));
  assert.equal(
    machine.plan([{ drvPath: drv("top") }]).jobs.map(({ id }) => id.slice(44)),
    ["extra.drv", "last.drv", "top.drv"],
  );
  machine.valid.add(out("last"));
  const target = { drvPath: drv("maker"), through: ["out", "out"] };
  const done = machine.plan([target]);
  assert.equal([done.jobs, done.wanted.map(({ path }) => path)], [[], [out("last")]]);
  assert.is(done.followed.get(target)?.drvPath, drv("last"));
});

test("a run finds what is to be done as it goes", () => {
  const machine = new Machine(TWO_LEVELS);
  machine.run([{ drvPath: drv("top") }]);
  assert.equal(machine.found, ["middle", "last"]);
  assert.equal(machine.built, ["lib", "maker", "middle", "extra", "last", "top"]);
});

test("what waits for a plan waits for what is built in the end, also where others have built a plan on the way by then", () => {
  const machine = new Machine({
    needs: { top: ["lib"], lib: [], first: [], second: [], last: [], other: [], side: [] },
    follows: { lib: ["first/out"], top: ["other"], side: ["first/out"] },
    writes: { first: "second", second: "last", other: "side" },
  });
  // `side` is found, and has `second` built, before `first` is followed for `lib`.
  const picks = [1, 0, 0, 1, 0, 0, 1];
  machine.run([{ drvPath: drv("top") }], { pick: (count) => Math.min(picks.shift() ?? 0, Math.max(0, count - 1)) });
  assert.equal(machine.errors, []);
  assert.equal(sortedText(machine.built), ["first", "last", "lib", "other", "second", "side", "top"]);
});

test("failures are those of what needs them, on whichever level", () => {
  for (const [failing, lost] of [
    ["maker", ["top"]],
    ["middle", ["top"]],
    ["extra", ["last", "top"]],
  ] as const) {
    const machine = new Machine(TWO_LEVELS);
    machine.run([{ drvPath: drv("top") }, { drvPath: drv("lib") }], { fails: (name) => name === failing });
    assert.equal([machine.failed, machine.lost.map((id) => id.slice(44, -4)).sort()], [[failing], lost], failing);
  }
});

test("what cannot be followed fails alone", () => {
  const machine = new Machine({
    needs: { top: [], maker: [], other: [] },
    follows: { top: ["maker"], other: [] },
    writes: {},
  });
  machine.run([{ drvPath: drv("top") }, { drvPath: drv("other") }]);
  assert.equal(machine.lost, [drv("top")]);
  assert.is(machine.errors.length, 1);
  assert.ok(machine.built.includes("other"));
});

test("a chain of derivations that write each other without end comes to one", () => {
  const needs: Record<string, string[]> = { top: [] };
  const follows: Record<string, string[]> = { top: ["g0"] };
  const writes: Record<string, string> = {};
  for (let i = 0; i < 2 * MOST_FOLLOWED; i++) {
    needs[`g${i}`] = [];
    needs[`s${i}`] = [];
    writes[`g${i}`] = `s${i}`;
    follows[`s${i}`] = [`g${i + 1}`];
  }
  needs[`g${2 * MOST_FOLLOWED}`] = [];
  const machine = new Machine({ needs, follows, writes });
  machine.run([{ drvPath: drv("top") }]);
  assert.equal([machine.errors.map(({ code }) => code), machine.found.length], [["too-deep"], MOST_FOLLOWED]);
  assert.ok(machine.lost.includes(drv("top")));
  // Nor does it when all of them are there.
  const later = new Machine({ needs, follows, writes });
  for (const name of Object.keys(writes)) later.valid.add(later.outputOf(name));
  const jobs = later.plan([{ drvPath: drv("top") }]).jobs.filter(({ kind }) => kind === "follow");
  assert.equal(
    jobs.map((job) => (job as FollowJob).depth),
    [MOST_FOLLOWED + 1],
  );
});

test("Schedule.extend() refuses jobs that need what waits for them", () => {
  const machine = new Machine(TWO_LEVELS);
  const plan = machine.plan([{ drvPath: drv("top") }]);
  const schedule = new Schedule(plan, { maxJobs: 3, cores: 1, keepGoing: true });
  for (const name of ["lib", "maker"]) {
    schedule.start();
    schedule.finish(drv(name), true);
  }
  const follow = schedule.start().map(({ job }) => job)[0] as FollowJob;
  const top = plan.jobs.find(({ id }) => id === drv("top")) as PlanJob;
  const jobs = [{ ...top, id: drv("inner"), dependencies: [drv("top")] }];
  const found = { jobs, dependencies: [drv("inner")], isEnough: () => true };
  assert.throws(
    () => schedule.extend(follow.id, found),
    (error: CodedError) => error.code === "build.cycle" && error.details?.[0] === drv("top"),
  );
  assert.equal(schedule.finish(follow.id, false).lost, [{ id: drv("top"), because: follow.id }]);
  assert.ok(schedule.isIdle);
});

test("a plan that is found later and wants other outputs of a written derivation has them followed too", () => {
  const machine = new Machine({ needs: { late: [], other: [] }, writes: { other: "inner" } });
  const want = (outputs: readonly string[]) => ({ drvPath: drv("other"), through: ["out"], outputs });
  const schedule = new Schedule(machine.plan([want(["out"]), { drvPath: drv("late"), through: ["out"] }]), {
    ...{ maxJobs: 9, cores: 1, keepGoing: true },
  });
  schedule.start();
  schedule.finish(drv("late"), true);
  const late = schedule.start().map(({ job }) => job)[0] as FollowJob;
  assert.is(late.drvPath, drv("late"));
  const { jobs } = machine.plan([want(["dev"])]);
  const dependencies = jobs.filter(({ kind }) => kind === "follow").map(({ id }) => id);
  schedule.extend(late.id, { jobs, dependencies, isEnough: () => true });
  schedule.finish(drv("other"), true);
  const followed = schedule.start().map(({ job }) => (job as FollowJob).outputs);
  assert.equal(sortedText(followed.flatMap((outputs) => outputs ?? [])), ["dev", "out"]);
});

test("Schedule.extend() enters a job again that did less than is wanted now, and none that failed", () => {
  const machine = new Machine({
    needs: { top: [], maker: [], one: [], bad: [] },
    follows: { top: ["maker"] },
    writes: { maker: "one" },
  });
  const schedule = new Schedule(
    machine.plan([{ drvPath: drv("top") }, { drvPath: drv("one") }, { drvPath: drv("bad") }]),
    {
      ...{ maxJobs: 9, cores: 1, keepGoing: true },
    },
  );
  schedule.start();
  schedule.finish(drv("one"), true);
  schedule.finish(drv("bad"), false);
  schedule.finish(drv("maker"), true);
  const [follow] = schedule.start().map(({ job }) => job);
  const { jobs } = machine.plan([{ drvPath: drv("one") }]);
  const settled = schedule.extend((follow as FollowJob).id, {
    jobs,
    dependencies: [drv("one")],
    isEnough: () => false,
  });
  assert.equal([settled.done, settled.fresh.map(({ id }) => id)], [[], [drv("one")]]);
  assert.equal(
    schedule.start().map(({ job }) => job.id),
    [drv("one")],
  );
  assert.equal(schedule.finish(drv("one"), true).done, [drv("one"), (follow as FollowJob).id]);
});

/** Derivations that need those before them; some of them are written by others that nothing else needs. */
const anyWorld = fc.integer({ min: 1, max: 8 }).chain((count) =>
  fc
    .array(fc.record({ needs: fc.array(fc.nat(7), { maxLength: 3 }), writers: fc.nat(2), fails: fc.boolean() }), {
      minLength: count,
      maxLength: count,
    })
    .map((nodes) => {
      const needs: Record<string, string[]> = {};
      const follows: Record<string, string[]> = {};
      const writes: Record<string, string> = {};
      /** How a derivation is named by who needs it. */
      const way = (i: number): string => {
        const levels = (nodes[i] as (typeof nodes)[number]).writers;
        return levels === 0
          ? `n${i}`
          : [`w${i}x${levels}`, ...Array.from({ length: levels - 1 }, () => "out")].join("/");
      };
      const real: Record<string, number[]> = {};
      nodes.forEach(({ needs: wanted, writers }, i) => {
        const before = [...new Set(wanted.filter((each) => each < i))];
        real[`n${i}`] = before;
        needs[`n${i}`] = before.map(way).filter((each) => each.startsWith("n"));
        follows[`n${i}`] = before.map(way).filter((each) => each.startsWith("w"));
        for (let level = 1; level <= writers; level++) {
          // A writer has what the derivation that it writes names.
          needs[`w${i}x${level}`] = [];
          writes[`w${i}x${level}`] = level === 1 ? `n${i}` : `w${i}x${level - 1}`;
        }
      });
      const last = way(nodes.length - 1).split("/");
      const target: BuildTarget = last[0]?.startsWith("w")
        ? { drvPath: drv(last[0]), through: last.map(() => "out") }
        : { drvPath: drv(last[0] as string) };
      return { world: { needs, follows, writes }, target, real, nodes };
    }),
);

test("plans in plans give what the whole graph gives, in any order", () => {
  fc.assert(
    fc.property(
      anyWorld,
      fc.array(fc.nat(100), { minLength: 60, maxLength: 60 }),
      fc.boolean(),
      ({ world, target, real, nodes }, picks, withFailures) => {
        const fails = (name: string): boolean =>
          withFailures && /^n\d+$/.test(name) && nodes[Number(name.slice(1))]?.fails === true;
        const machine = new Machine(world);
        let at = 0;
        machine.run([target], {
          fails,
          pick: (count) => (count === 0 ? 0 : (picks[at++ % picks.length] as number) % count),
        });
        // The graph that shows in the end, walked directly.
        const expected = new Map<string, boolean>();
        const walk = (i: number): boolean => {
          const name = `n${i}`;
          const known = expected.get(name);
          if (known !== undefined) return known;
          const inputs = (real[name] as number[]).map(walk);
          const isGood = inputs.every(Boolean) && !fails(name);
          expected.set(name, isGood);
          return isGood;
        };
        walk(nodes.length - 1);
        const good = [...expected].filter(([, isGood]) => isGood).map(([name]) => name);
        const made = machine.built.filter((name) => name.startsWith("n"));
        assert.equal(sortedText(made), sortedText(good));
        assert.is(new Set(machine.built).size, machine.built.length, "nothing is built twice");
        assert.equal(machine.errors, []);
        const bad = [...expected].filter(([, isGood]) => !isGood).map(([name]) => name);
        const told = [
          ...machine.failed,
          ...machine.lost.map((id) => id.slice(44, -4)).filter((name) => name.startsWith("n")),
        ];
        assert.equal(sortedText(new Set(told)), sortedText(bad));
        // What is done stays done: only failures are tried again.
        const again = machine.plan([target]);
        if (bad.length === 0) assert.equal(again.jobs, []);
      },
    ),
    { numRuns: 500 },
  );
});

test.run();

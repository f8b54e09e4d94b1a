import { test } from "uvu";
import * as assert from "uvu/assert";
import { hashBytes } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";
import type { StorePath } from "../store/index.ts";
import { type BuildJob, isBuildJob, type Offer, type PlanJob, shortName, showReason } from "./jobs.ts";
import {
  type BuildPlan,
  type OutputName,
  outputPath,
  planBuild,
  type PlanBuildOptions,
  type PlanQuestion,
  planSteps,
} from "./plan.ts";
import { drv, graph, out } from "./testdata/graph.ts";

const DIAMOND = { top: ["left", "right"], left: ["base"], right: ["base"], base: ["fetch"] };

function plan(edges: Record<string, string[]>, valid: string[], targets = ["top"], rebuild = false) {
  const isValid = (path: StorePath): boolean => valid.map(out).includes(path);
  return planBuild({
    targets: targets.map((name) => ({ drvPath: drv(name) })),
    readDerivation: graph(edges),
    isValid,
    rebuild,
  });
}
const names = (jobs: readonly PlanJob[]): string[] => jobs.map((job) => shortName(job.id));
const builds = (jobs: readonly PlanJob[]): BuildJob[] => jobs.filter(isBuildJob);

test("planBuild() puts dependencies first, each once", () => {
  const { jobs, wanted } = plan(DIAMOND, []);
  assert.equal(names(jobs), ["fetch", "base", "left", "right", "top"]);
  assert.equal(wanted, [{ drvPath: drv("top"), output: "out", path: out("top") }]);
  assert.equal(
    jobs.map((job) => job.kind),
    ["fetch", "build", "build", "build", "build"],
  );
  assert.equal(jobs[4]?.dependencies, [drv("left"), drv("right")]);
});

test("planBuild() does not look below what is valid", () => {
  assert.equal(names(plan(DIAMOND, ["base"]).jobs), ["left", "right", "top"]);
  const done = plan(DIAMOND, ["top"]);
  assert.equal(done.jobs, []);
  assert.is(done.validCount, 1);
});

test("planBuild() ranks by the longest chain of dependents", () => {
  const { jobs } = plan({ top: ["a", "z"], a: ["b"], b: [], z: [] }, []);
  assert.equal(Object.fromEntries(jobs.map((job) => [shortName(job.id), job.rank])), { top: 0, a: 1, z: 1, b: 2 });
});

test("planBuild() says why", () => {
  const { jobs } = plan(DIAMOND, ["base"]);
  assert.equal(
    builds(jobs).map((job) => showReason(job.why)),
    ["missing, needed by top", "missing, needed by top", "missing"],
  );
});

test("planBuild() builds only the target again on rebuild", () => {
  const { jobs } = plan(DIAMOND, ["top", "left", "right"], ["top"], true);
  assert.equal(
    builds(jobs).map((job) => [shortName(job.id), job.mode, showReason(job.why)]),
    [["top", "compare", "asked to build again"]],
  );
});

test("planBuild() plans a target whose output is missing although rebuild was asked", () => {
  assert.equal(
    builds(plan({ top: [] }, [], ["top"], true).jobs).map((job) => job.mode),
    ["build"],
  );
});

test("planBuild() asks for the wanted outputs alone", () => {
  const two: Derivation = {
    ...graph({})(drv("two")),
    outputs: {
      out: { path: out("two"), hashAlgorithm: "", hash: "" },
      dev: { path: out("two-dev"), hashAlgorithm: "", hash: "" },
    },
  };
  const options = { readDerivation: () => two, isValid: (path: StorePath) => path === out("two") };
  assert.equal(planBuild({ ...options, targets: [{ drvPath: drv("two"), outputs: ["out"] }] }).jobs, []);
  const [job] = builds(planBuild({ ...options, targets: [{ drvPath: drv("two") }] }).jobs);
  assert.is(job && showReason(job.why), "missing output dev");
});

const asKind = (drv: Derivation, hash: string, path = ""): Derivation => ({
  ...drv,
  outputs: { out: { path, hashAlgorithm: "r:sha256", hash } },
});

test("planBuild() builds what is impure each time, and only for what is impure or fixed", () => {
  const read = (path: StorePath): Derivation => {
    const drv = graph({ again: ["random"], fixed: ["random"], pure: ["random"], random: ["pure-input"] })(path);
    if (drv.name === "random" || drv.name === "again") return asKind(drv, "impure");
    return drv.name === "fixed" ? asKind(drv, "00".repeat(32), out("fixed")) : drv;
  };
  const plan = (name: string, valid: readonly string[] = []): string[] => {
    const isValid = (path: StorePath): boolean => valid.some((each) => out(each) === path);
    const findOutput = ({ drvPath }: OutputName) => (drvPath === drv("random") ? out("random") : undefined);
    return names(
      planBuild({ targets: [{ drvPath: drv(name) }], readDerivation: read, isValid, findOutput, impure: true }).jobs,
    );
  };
  assert.equal(plan("again"), ["pure-input", "random", "again"]);
  assert.equal(plan("again", ["pure-input", "random", "again"]), ["random", "again"]);
  assert.equal(plan("fixed", ["pure-input"]), ["random", "fixed"]);
  assert.equal(plan("fixed", ["fixed"]), []);
  assert.throws(
    () => plan("pure"),
    (error: { code?: string }) => error.code === "build.impure-input",
  );
});

test("planBuild() refuses an output that does not exist, an impure one, and a cycle", () => {
  const code = (expected: string) => (error: { code?: string }) => error.code === expected;
  const isValid = (): boolean => false;
  const targets = [{ drvPath: drv("top"), outputs: ["nope"] }];
  assert.throws(() => planBuild({ targets, readDerivation: graph({}), isValid }), code("build.no-such-output"));
  const impure = (path: StorePath): Derivation => ({
    ...graph({})(path),
    outputs: { out: { path: "", hashAlgorithm: "r:sha256", hash: "impure" } },
  });
  assert.throws(
    () => planBuild({ targets: [{ drvPath: drv("top") }], readDerivation: impure, isValid }),
    code("build.impure"),
  );
  assert.throws(() => plan({ top: ["a"], a: ["b"], b: ["a"] }, []), code("build.cycle"));
});

const floating = (path: StorePath): Derivation => ({
  ...graph({ top: ["low"] })(path),
  outputs: { out: { path: "", hashAlgorithm: "r:sha256", hash: "" } },
});

test("planBuild() builds an output that nobody knows the path of, and finds it when an earlier build told", () => {
  const isValid = (path: StorePath): boolean => path === out("low");
  const options = { targets: [{ drvPath: drv("top") }], readDerivation: floating, isValid };
  assert.equal(names(planBuild(options).jobs), ["low", "top"]);
  assert.equal(planBuild(options).wanted, [{ drvPath: drv("top"), output: "out", path: undefined }]);
  const findOutput = ({ drvPath }: OutputName) => (drvPath === drv("low") ? out("low") : undefined);
  assert.equal(names(planBuild({ ...options, findOutput }).jobs), ["top"]);
});

test("outputPath() refuses a path that is not known", () => {
  assert.throws(
    () => outputPath(drv("top"), floating(drv("top")), "out"),
    (error: { code?: string }) => error.code === "build.unknown-output-path",
  );
});

/** Plan with another store that has some outputs, each with what it refers to; gives the questions in rounds as well. */
function planWith(
  edges: Record<string, string[]>,
  offered: Record<string, string[]>,
  more: Partial<PlanBuildOptions> = {},
): { jobs: readonly PlanJob[]; asked: string[][] } {
  const asked: string[][] = [];
  const steps = planSteps({
    targets: [{ drvPath: drv("top") }],
    readDerivation: graph(edges),
    isValid: () => false,
    ...more,
  });
  for (let step = steps.next(); ; ) {
    if (step.done === true) return { jobs: step.value.jobs, asked };
    asked.push(step.value.paths.map(shortName).sort());
    const offers = new Map<StorePath, Offer>();
    for (const path of step.value.paths) {
      const references = offered[shortName(path)]?.map(out);
      if (references !== undefined) offers.set(path, offer(path, references));
    }
    step = steps.next({ offers, outputs: [] });
  }
}
function offer(path: StorePath, references: StorePath[]): Offer {
  const info = { path, narHash: hashBytes("sha256", path), narSize: 1, references, signatures: [] };
  return { info, from: "file:///cache" };
}
const kinds = (jobs: readonly PlanJob[]): string[] => jobs.map((job) => `${job.kind} ${shortName(job.id)}`);

test("planSteps() fetches what others have with its references, and looks at nothing below", () => {
  const edges = { top: ["left"], left: ["base"], base: ["fetch"] };
  const { jobs, asked } = planWith(edges, { left: ["lib", "left"], lib: [] });
  assert.equal(kinds(jobs), ["substitute lib", "substitute left", "build top"]);
  assert.equal(asked, [["top"], ["left"], ["lib"]]);
  assert.equal(jobs[1]?.dependencies, [out("lib")]);
  assert.equal(jobs[2]?.dependencies, [out("left")]);
  assert.equal(
    jobs.map((job) => job.rank),
    [2, 1, 0],
  );
});

test("planSteps() asks for all of a level at once", () => {
  const { jobs, asked } = planWith(DIAMOND, { base: [] });
  assert.equal(asked, [["top"], ["left", "right"], ["base"]]);
  assert.equal(kinds(jobs), ["substitute base", "build left", "build right", "build top"]);
});

test("planSteps() builds what others have without all of its references", () => {
  const { jobs } = planWith({ top: ["low"] }, { top: ["lib"] });
  assert.equal(kinds(jobs), ["build low", "build top"]);
});

test("planSteps() builds what others say refers to itself in a circle", () => {
  const { jobs } = planWith({ top: ["low"] }, { top: ["lib"], lib: ["dev"], dev: ["lib"] });
  assert.equal(kinds(jobs), ["build low", "build top"]);
});

test("planSteps() does not fetch what is valid already", () => {
  const { jobs } = planWith({ top: [] }, { top: ["lib"] }, { isValid: (path) => path === out("lib") });
  assert.equal(kinds(jobs), ["substitute top"]);
  assert.equal(jobs[0]?.dependencies, []);
});

test("planSteps() builds what forbids substitutes, and what is to be built again", () => {
  const plain = graph({ top: ["low"] });
  const readDerivation = (path: StorePath): Derivation => ({ ...plain(path), env: { allowSubstitutes: "" } });
  assert.equal(kinds(planWith({}, { top: [], low: [] }, { readDerivation }).jobs), ["build low", "build top"]);
  const structured = (path: StorePath): Derivation => ({
    ...plain(path),
    env: { __json: `{"allowSubstitutes":false}` },
  });
  assert.equal(kinds(planWith({}, { top: [] }, { readDerivation: structured }).jobs), ["build low", "build top"]);
  assert.equal(kinds(planWith({ top: [] }, { top: [] }, { rebuild: true }).jobs), ["build top"]);
});

test("planSteps() fetches wanted paths, and refuses those that nobody has", () => {
  const { jobs } = planWith({}, { lone: ["lib"], lib: [] }, { targets: [], paths: [out("lone")] });
  assert.equal(kinds(jobs), ["substitute lib", "substitute lone"]);
  assert.throws(
    () => planWith({}, {}, { targets: [], paths: [out("lone")] }),
    (error: { code?: string }) => error.code === "build.no-substitute",
  );
});

test("planSteps() asks where an output lies that is addressed by content, then for it", () => {
  const steps = planSteps({ targets: [{ drvPath: drv("top") }], readDerivation: floating, isValid: () => false });
  const first = steps.next().value as PlanQuestion;
  assert.equal(first, { paths: [], outputs: [{ drvPath: drv("top"), output: "out" }] });
  const second = steps.next({ offers: new Map(), outputs: [out("found")] }).value as PlanQuestion;
  assert.equal(second, { paths: [out("found")], outputs: [] });
  const { value } = steps.next({ offers: new Map([[out("found"), offer(out("found"), [])]]), outputs: [] });
  assert.equal(kinds((value as BuildPlan).jobs), ["substitute found"]);
  assert.equal((value as BuildPlan).wanted[0]?.path, out("found"));
});

test("planBuild() walks a chain of 20000", () => {
  const edges: Record<string, string[]> = {};
  for (let i = 0; i < 20_000; i++) edges[`n${i}`] = [`n${i + 1}`];
  assert.is(plan(edges, [], ["n0"]).jobs.length, 20_001);
});

test.run();

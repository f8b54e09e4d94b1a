import { test } from "uvu";
import * as assert from "uvu/assert";
import type { Derivation } from "../derivation/index.ts";
import type { StorePath } from "../store/index.ts";
import { planBuild, shortName, showReason } from "./plan.ts";
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
const names = (jobs: readonly { drvPath: StorePath }[]): string[] => jobs.map((job) => shortName(job.drvPath));

test("planBuild() puts dependencies first, each once", () => {
  const { jobs, wanted } = plan(DIAMOND, []);
  assert.equal(names(jobs), ["fetch", "base", "left", "right", "top"]);
  assert.equal(wanted, [out("top")]);
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
  assert.equal(Object.fromEntries(jobs.map((job) => [shortName(job.drvPath), job.rank])), { top: 0, a: 1, z: 1, b: 2 });
});

test("planBuild() says why", () => {
  const { jobs } = plan(DIAMOND, ["base"]);
  assert.equal(
    jobs.map((job) => showReason(job.why)),
    ["missing, needed by top", "missing, needed by top", "missing"],
  );
});

test("planBuild() builds only the target again on rebuild", () => {
  const { jobs } = plan(DIAMOND, ["top", "left", "right"], ["top"], true);
  assert.equal(
    jobs.map((job) => [shortName(job.drvPath), job.mode, showReason(job.why)]),
    [["top", "compare", "asked to build again"]],
  );
});

test("planBuild() plans a target whose output is missing although rebuild was asked", () => {
  assert.equal(
    plan({ top: [] }, [], ["top"], true).jobs.map((job) => job.mode),
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
  const [job] = planBuild({ ...options, targets: [{ drvPath: drv("two") }] }).jobs;
  assert.is(job && showReason(job.why), "missing output dev");
});

test("planBuild() refuses an output that does not exist, a path that is not known, and a cycle", () => {
  const code = (expected: string) => (error: { code?: string }) => error.code === expected;
  const isValid = (): boolean => false;
  const targets = [{ drvPath: drv("top"), outputs: ["nope"] }];
  assert.throws(() => planBuild({ targets, readDerivation: graph({}), isValid }), code("build.no-such-output"));
  const floating = (path: StorePath): Derivation => ({
    ...graph({})(path),
    outputs: { out: { path: "", hashAlgorithm: "r:sha256", hash: "" } },
  });
  assert.throws(
    () => planBuild({ targets: [{ drvPath: drv("top") }], readDerivation: floating, isValid }),
    code("build.unknown-output-path"),
  );
  assert.throws(() => plan({ top: ["a"], a: ["b"], b: ["a"] }, []), code("build.cycle"));
});

test("planBuild() walks a chain of 20000", () => {
  const edges: Record<string, string[]> = {};
  for (let i = 0; i < 20_000; i++) edges[`n${i}`] = [`n${i + 1}`];
  assert.is(plan(edges, [], ["n0"]).jobs.length, 20_001);
});

test.run();

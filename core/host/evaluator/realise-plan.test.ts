import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLocalStore } from "../local-store/index.ts";
import { parseAnswer } from "./answer-schema.ts";
import { makePlan } from "./make-plan.ts";
import type { EvaluationPlan } from "./plan.ts";
import { realisePlan } from "./realise-plan.ts";
import { ask, errorOf, flakeIn, flakeText, makeFolder } from "./testing.ts";

const outputs = `{ get a() {
  const lower = derivation({ name: "lower", system: "x86_64-linux", builder: "/bin/sh", env: { src: local("./src"), note: toFile("note", "n") } });
  return derivation({ name: "upper", system: "x86_64-linux", builder: "/bin/sh", env: { lower } });
} }`;

async function planned(): Promise<{ folder: string; plan: EvaluationPlan }> {
  const folder = makeFolder({
    "flake.config.ts": flakeText(outputs, 'import { derivation, local, toFile } from "#floe/derivation";'),
    "src/a": "a",
  });
  return { folder, plan: (await ask(flakeIn(folder), "a")).plan };
}

const openStore = () => openLocalStore({ root: makeFolder({}) });

test("realisePlan() adds sources and derivations, and does nothing the second time", async () => {
  const { folder, plan } = await planned();
  const store = openStore();
  await realisePlan(store, plan);
  for (const { path } of [...plan.sources, ...plan.derivations]) assert.ok(store.isValid(path), path);
  const [tree] = plan.sources.filter((source) => source.kind === "tree");
  assert.is(readFileSync(`${store.realPath(tree?.path as string)}/a`, "utf8"), "a");
  writeFileSync(`${folder}/src/a`, "changed since");
  await realisePlan(store, plan);
  store.close();
});

test("realisePlan() locks trees in one order, so that two processes never wait for each other", async () => {
  const text = `derivation({ name: "both", system: "x86_64-linux", builder: "/bin/sh", args: [local("./one"), local("./two")].map(String) })`;
  const folder = makeFolder({
    "flake.config.ts": flakeText(
      `{ get a() { return ${text}; } }`,
      'import { derivation, local } from "#floe/derivation";',
    ),
    "one/a": "1",
    "two/a": "2",
  });
  const { plan } = await ask(flakeIn(folder), "a");
  const sources = [...plan.sources].sort((a, b) => (a.path < b.path ? 1 : -1));
  const [last, first] = sources.map((source) => source.path) as [string, string];
  const store = openStore();
  const another = openLocalStore({ root: store.root });
  const held = await another.lockPaths([first]);
  const run = realisePlan(store, { ...plan, sources });
  // Long enough for it to lock what it locks first.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const free = await another.lockPaths([last], { wait: false });
  free?.release();
  held?.release();
  await run;
  assert.ok(free !== undefined);
  for (const each of [store, another]) each.close();
});

test("realisePlan() refuses a source that changed since the evaluation", async () => {
  const { folder, plan } = await planned();
  writeFileSync(`${folder}/src/a`, "changed since");
  const store = openStore();
  assert.is((await errorOf(realisePlan(store, plan))).code, "evaluation.source-changed");
  assert.not.ok(plan.roots.some((path) => store.isValid(path)));
  store.close();
});

test("realisePlan() refuses a derivation under a path that is not its own", async () => {
  const { plan } = await planned();
  const store = openStore();
  const derivations = plan.derivations.map(({ path, text }) => ({ path, text: text.replace("/bin/sh", "/bin/evil") }));
  assert.is((await errorOf(realisePlan(store, { ...plan, derivations }))).code, "store.wrong-path");
  store.close();
});

test("makePlan() refuses what was not made, and trees outside of the sources", async () => {
  const drvPath = `/nix/store/${"0".repeat(32)}-a.drv`;
  const answer = {
    kind: "value",
    inputs: {},
    attribute: ["a"],
    value: null,
    context: [{ drvPath, outputs: ["out"] }],
    sourceContext: [],
    derivations: [],
    sources: [],
  } as const;
  const question = {
    engine: "/engine",
    configFile: "/flake/flake.config.ts",
    mounts: [{ path: "/flake", hostPath: "/flake", name: "flake" }],
    roots: "",
    bundled: false,
    agent: {} as never,
  };
  const code = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      return (error as { code: string }).code;
    }
    return "accepted";
  };
  assert.is(
    code(() => makePlan(answer, question)),
    "evaluation.malformed-answer",
  );
  for (const from of ["/etc", "/flake/../etc", "/flakes"]) {
    const path = `/nix/store/${"0".repeat(32)}-tree`;
    const sources = [{ kind: "tree", path, name: "tree", from }] as const;
    assert.is(
      code(() => makePlan({ ...answer, context: [], sourceContext: [path], sources }, question)),
      "evaluation.malformed-answer",
      from,
    );
  }
});

test("parseAnswer() refuses what has another shape", () => {
  const withContext = (through: string): string =>
    `{"answer":{"kind":"value","inputs":{},"attribute":[],"value":1,"sourceContext":[],"derivations":[],"sources":[],"context":[{"drvPath":"/nix/store/${"0".repeat(32)}-a.drv","outputs":["out"],"through":${through}}]},"files":[],"trees":[],"ways":[]}`;
  const { answer } = parseAnswer(withContext('["out"]'));
  assert.equal(answer.kind === "value" && answer.context[0]?.through, ["out"]);
  for (const json of [
    "",
    "{}",
    '{"answer":{"kind":"value"},"files":[],"trees":[],"ways":[]}',
    withContext("[]"),
    withContext('["out", 1]'),
    withContext(JSON.stringify(Array.from({ length: 101 }, () => "out"))),
    '{"answer":{"kind":"error","error":{"name":1}},"files":[],"trees":[],"ways":[]}',
    `{"answer":{"kind":"error","error":${'{"name":"","message":"","stack":"","cause":'.repeat(100_000)}{}${"}".repeat(100_000)}},"files":[],"trees":[],"ways":[]}`,
  ]) {
    assert.throws(
      () => parseAnswer(json),
      (error: { code: string }) => error.code === "evaluation.malformed-answer",
      json.slice(0, 200),
    );
  }
});

test.run();

import { rmSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openTemporaryStore } from "../local-store/testing.ts";
import { makeFolder } from "../evaluator/testing.ts";
import { askOutputs, outlineFlake } from "./ask-outputs.ts";
import { type OpenFlake, openFlake, type OpenFlakeOptions } from "./open-flake.ts";

const { store } = openTemporaryStore();

const HEAD = `import { defineFlake } from "#floe/flake";
import { derivation, local } from "#floe/derivation";
import { defineModule } from "#floe/module";
import { defineOverlay } from "#floe/package";
const make = (name: string) => derivation({ name, system: "x86_64-linux", builder: "/bin/sh" });
export default defineFlake({
  outputs({ self }) {
    return {
`;
const HEAD_LINES = HEAD.split("\n").length;

async function open(outputs: string, options: Partial<OpenFlakeOptions> = {}): Promise<OpenFlake> {
  const folder = makeFolder({ "flake.config.ts": `${HEAD}${outputs}\n    };\n  },\n});\n`, "start/a.txt": "a" });
  return openFlake({ reference: folder, cwd: folder, store, records: false, ...options });
}

const at = (path: readonly string[]): string => path.join(".");

/** What checking everything finds: of good members their type, of bad ones code and line. */
async function check(flake: OpenFlake, jobs = 2): Promise<Record<string, string>> {
  const { paths, faults } = await outlineFlake(flake);
  const asked = await askOutputs(flake, "check", paths, jobs);
  return Object.fromEntries([
    ...asked.outputs.map(({ path, type, drvPath }) => [at(path), drvPath === undefined ? type : `${type} made`]),
    ...[...faults, ...asked.faults].map(({ path, error }) => [
      at(path),
      `${error.code}:${(error.at?.line ?? 0) - HEAD_LINES + 1}`,
    ]),
  ]);
}

test("askOutputs() makes every kind of output to its end", async () => {
  const flake = await open(`
      packages: { "x86_64-linux": { default: make("a") } },
      apps: { "x86_64-linux": { default: { type: "app", program: \`\${make("a")}/bin/a\` } } },
      devShells: { "x86_64-linux": { default: make("shell") } },
      checks: { "x86_64-linux": { good: make("check") } },
      formatter: { "x86_64-linux": make("format") },
      overlays: { default: defineOverlay({ add: {} }) },
      modules: { default: defineModule({ key: "a" }) },
      systems: { web: { kind: "system", name: "web", toplevel: make("top"), drvPath: "", outPath: "" } },
      homes: { alice: { kind: "home", name: "alice", activation: make("home") } },
      vmTests: { t: { type: "vmTest", name: "t", description: "d", machines: { m: { image: make("i") } } } },
      templates: { default: { path: local("./start"), description: "A start" } },
      lib: { double: (x: number) => 2 * x },`);
  assert.equal(await check(flake), {
    "packages.x86_64-linux.default": "package made",
    "apps.x86_64-linux.default": "app",
    "devShells.x86_64-linux.default": "dev-shell made",
    "checks.x86_64-linux.good": "check made",
    "formatter.x86_64-linux": "formatter made",
    "overlays.default": "overlay",
    "modules.default": "module",
    "systems.web": "system made",
    "homes.alice": "home made",
    "vmTests.t": "vm-test",
    "templates.default": "template",
    lib: "unknown",
  });
});

test("askOutputs() finds every fault at once, each at the line that is to blame", async () => {
  const flake = await open(`
      packages: { "x86_64-linux": {
        number: 3 as never,
        get thrown() { throw new Error("on purpose"); },
        good: make("good"),
      } },
      get checks() { throw new Error("none"); },
      apps: { "x86_64-linux": { outside: { type: "app", program: "/nix/store/${"0".repeat(32)}-a/bin/a" } } },
      overlays: { odd: { kind: "overlay", override: { hello: 1 }, add: {} } },
      templates: {
        gone: { path: local("./gone"), description: "" },
      },`);
  assert.equal(await check(flake), {
    "packages.x86_64-linux.number": "flake.output-malformed:3",
    "packages.x86_64-linux.thrown": "evaluation.failed:4",
    "packages.x86_64-linux.good": "package made",
    checks: "evaluation.failed:7",
    "apps.x86_64-linux.outside": "derivation.unknown-reference:8",
    "overlays.odd": "flake.output-malformed:9",
    "templates.gone": "source.missing:11",
  });
});

test("askOutputs() has an answer for the others when a member never ends", async () => {
  const flake = await open(
    `
      packages: { "x86_64-linux": { a: make("a"), get endless() { for (;;); } } },`,
    // Long enough for all that ends, also where many share a processor.
    { timeoutSeconds: 10 },
  );
  assert.equal(await check(flake, 1), {
    "packages.x86_64-linux.a": "package made",
    "packages.x86_64-linux.endless": "evaluation.timeout:2",
  });
});

test("askOutputs() has an answer for the others when a member takes all memory, or calls itself for ever", async () => {
  const flake = await open(
    `
      packages: { "x86_64-linux": {
        a: make("a"),
        get huge() { const all: number[][] = []; for (;;) all.push(new Array(1e5).fill(1.5)); },
        get deep() { const f = (x: number): number => 1 + f(x); return f(1) as never; },
      } },`,
    { memoryMiB: 64 },
  );
  assert.equal(await check(flake, 1), {
    "packages.x86_64-linux.a": "package made",
    "packages.x86_64-linux.huge": "evaluation.out-of-memory:4",
    "packages.x86_64-linux.deep": "evaluation.failed:5",
  });
});

test("what failed is asked again, also where earlier answers are kept", async () => {
  const records = makeFolder({});
  const flake = await open(
    `
      packages: { "x86_64-linux": { get a() { return derivation({ name: "a", system: "x86_64-linux", builder: "/b", env: { x: local("./late") } }); } } },`,
    { records },
  );
  assert.match(Object.values(await check(flake)).join(), /^source\.missing/);
  writeFileSync(`${flake.directory}/late`, "");
  assert.equal(await check(flake), { "packages.x86_64-linux.a": "package made" });
  rmSync(`${flake.directory}/late`);
  assert.match(Object.values(await check(flake)).join(), /^source\.missing/);
});

test("the outputs of a flake are the same seen from a flake that takes it in", async () => {
  const inner = await open(`
      overlays: { default: defineOverlay({ add: {} }) },
      modules: { default: defineModule({ key: "a" }) },
      packages: { "x86_64-linux": { default: make("a") } },
      templates: { default: { path: local("./start"), description: "A start" } },`);
  const folder = makeFolder({
    "flake.config.ts": `import { defineFlake } from "#floe/flake";
export default defineFlake({
  inputs: { inner: "path:${inner.directory}" },
  outputs: ({ inputs: { inner } }) => ({
    overlays: inner.overlays, modules: inner.modules, packages: inner.packages, templates: inner.templates,
  }),
});
`,
  });
  const outer = await openFlake({ reference: folder, cwd: folder, store, records: false, memory: false });
  assert.equal(await check(outer), await check(inner));
});

test.after(() => store.close());
test.run();

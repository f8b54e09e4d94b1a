import { chmodSync, rmSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "../evaluator/index.ts";
import { errorOf, makeFolder } from "../evaluator/testing.ts";
import { checkTypes, type CheckTypesOptions } from "./check-types.ts";
import { testInput } from "./testing.ts";

const cache = makeFolder({});

/** A flake with Floe as its only input. */
function optionsFor(directory: string): CheckTypesOptions {
  const resolved = { inputs: { floe: "floe" }, nodes: new Map([["floe", testInput("floe")]]) };
  return { directory, resolved, hostPath: findEngine, cache };
}

/** Faults of a flake with these files, as `file:line: message`. */
async function faultsOf(files: Readonly<Record<string, string>>): Promise<string[]> {
  const directory = makeFolder(files);
  const faults = await checkTypes(optionsFor(directory));
  return faults.map(({ code, at, message, details = [] }) => {
    assert.is(code, "flake.type-error");
    return `${at?.file.replace(`${directory}/`, "")}:${at?.line}: ${[message, ...details].join(" ")}`;
  });
}

const flake = (outputs: string, before = ""): string =>
  `import { defineFlake } from "#floe/flake";\n${before}export default defineFlake({\n  inputs: { floe: "path:./floe" },\n  outputs: ({ inputs }) => (${outputs}),\n});\n`;

test("checkTypes() finds nothing in a flake that is right, alone in its folder", async () => {
  const system = `{
    packages: { "x86_64-linux": inputs.floe.packages["x86_64-linux"] },
    systems: { web: makeSystem({ name: "web", pkgs: inputs.floe.packages["x86_64-linux"], modules: inputs.floe.modules,
      config: { services: { nginx: { enable: true } } } }) },
    modules: { own }, text: new TextEncoder().encode(data.text).length,
  }`;
  const files = {
    "flake.config.ts": flake(
      system,
      `import { makeSystem } from "#floe/system";\nimport own from "./own.ts";\nimport data from "./data.json" with { type: "json" };\n`,
    ),
    "own.ts": `import { declare, defineModule, option, type Read, type Write } from "#floe/module";
const options = declare("services.own", { /** Whether. */ enable: option.bool({ default: false }) });
declare module "#floe/module" {
  interface ServicesConfig { readonly own: Read<typeof options> }
  interface ServicesDefs { own?: Write<typeof options> }
}
export default defineModule(options, ({ cfg, define }) => {
  if (cfg.enable) define({ services: { nginx: { enable: true } } });
});
`,
    "data.json": `{ "text": "a" }`,
    // Settings beside the flake do not count.
    "tsconfig.json": `{ "compilerOptions": { "types": ["nothing"] } }`,
  };
  assert.equal(await faultsOf(files), []);
});

test("checkTypes() finds every fault, in all files that the flake imports", async () => {
  const found = await faultsOf({
    "flake.config.ts": flake(
      `{
    packages: { default: derivation({ name: "a", system: "x86_64-linux", builder: "/b" }) },
    systems: { web: makeSystem({ name: "web", pkgs: inputs.flo.packages, modules: [],
      config: { services: { ngnix: { enable: true } } } }) },
    checks: { "x86_64-linux": { number: 3 } },
    templates: { start: { path: "/a" } },
  }`,
      `import { derivation } from "#floe/derivation";\nimport { makeSystem } from "#floe/system";\nimport "./other.ts";\n`,
    ),
    "other.ts": "export const time: string = process.env;\n",
  });
  const at = (start: string): string => found.find((each) => each.startsWith(start)) ?? `nothing at ${start}`;
  assert.match(at("flake.config.ts:8"), "is not assignable to type");
  assert.match(at("flake.config.ts:9"), "'flo' does not exist");
  assert.match(at("flake.config.ts:10"), "Did you mean to write 'nginx'?");
  assert.match(at("flake.config.ts:11"), "Type 'number' is not assignable to type 'Buildable'");
  assert.match(at("flake.config.ts:12"), "'description' is missing");
  assert.match(at("other.ts:1"), "Cannot find name 'process'");
});

test("checkTypes() says that it took too long", async () => {
  const directory = makeFolder({ "flake.config.ts": flake("{}") });
  const error = await errorOf(checkTypes({ ...optionsFor(directory), timeoutSeconds: 0.001 }));
  assert.is(error.code, "flake.type-check-timeout");
});

test("checkTypes() passes on what a compiler says that fails", async () => {
  const directory = makeFolder({
    "flake.config.ts": flake("{}"),
    "broken.sh": "#!/bin/sh\necho out of order\nexit 3\n",
  });
  const compiler = `${directory}/broken.sh`;
  chmodSync(compiler, 0o755);
  const error = await errorOf(checkTypes({ ...optionsFor(directory), compiler }));
  assert.is(error.code, "flake.type-check-crashed");
  assert.match(error.details?.join("\n") ?? "", "out of order");
});

test("checkTypes() ends when it is aborted", async () => {
  const directory = makeFolder({ "flake.config.ts": flake("{}") });
  const reason = new Error("enough");
  const run = checkTypes({ ...optionsFor(directory), signal: AbortSignal.abort(reason) });
  assert.is(await run.catch((error: unknown) => error), reason);
  rmSync(directory, { recursive: true });
});

test.run();

/** The same flake gives the same bytes wherever, by whomever and whenever it is evaluated. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../process/find-program.ts";
import { findEngine } from "./engine.ts";
import { makeFolder } from "./testing.ts";

const CONFIG = `import { derivation, local, toFile } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
import { declare, defineModule, evaluateModules, option } from "#floe/module";
import { places } from "./lib/places.ts";

const options = declare("machine", { name: option.str({ default: "x" }), ports: option.listOf(option.port()) });
const rule = defineModule(options, ({ cfg, define }) => { define({ machine: { ports: [cfg.name.length + 80] } } as never); });

export default defineFlake({
  outputs: ({ self }) => ({
    get a() {
      let caught = "";
      try { derivation({} as never); } catch (error) { caught = (error as Error).stack ?? ""; }
      const evaluated = evaluateModules({ modules: [rule], config: { machine: { name: "web" } } as never });
      const made = derivation({
        name: "made", system: "x86_64-linux", builder: "/bin/sh",
        env: { src: local("./tree"), self: \`\${self}\`, note: toFile("note", places().join("\\n")), caught, zone: String(new Date(2026, 6, 1)) },
      });
      return { made, places: places(), caught, config: JSON.stringify(evaluated.definitionsOf("machine.ports").map(({ value, at }: any) => [value, at])), order: Object.keys(import.meta) };
    },
  }),
});
`;
const PLACES = `import { local } from "#floe/derivation";
export function places(): string[] {
  const target: { stack?: string } = {};
  Error.captureStackTrace(target);
  return [new Error("here").stack ?? "", target.stack ?? "", local("../tree").path, String(local("../tree"))];
}
`;
const FILES: readonly (readonly [string, string])[] = [
  ["flake.config.ts", CONFIG],
  ["lib/places.ts", PLACES],
  ["tree/b", "b"],
  ["tree/a", "a"],
  ["tree/é", "e"],
  ["tree/Z/deep", "z"],
];

/** A process of its own, with an environment of its own, that evaluates and prints value and plan. */
const SCRIPT = `
import { ask, flakeIn } from ${JSON.stringify(`${findEngine()}/core/host/evaluator/testing.ts`)};
const [folder] = process.argv.slice(1);
const { value, plan, context, sourceContext, attribute } = await ask(flakeIn(folder), "a");
const inFlake = (source) => source.kind === "tree" ? { ...source, from: source.from.replace(folder, "FLAKE") } : source;
console.log(JSON.stringify({ value, context, sourceContext, attribute, roots: plan.roots, derivations: plan.derivations, sources: plan.sources.map(inFlake) }));
`;

interface Way {
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A program and its arguments that start the process. */
  readonly by?: readonly string[];
  readonly files?: readonly (readonly [string, string])[];
}

function evaluated({ folder = "flake", env = {}, by = [], files = FILES }: Way): string {
  const flake = `${makeFolder({})}/${folder}`;
  for (const [name, text] of files) {
    mkdirSync(`${flake}/${name}`.replace(/\/[^/]*$/, ""), { recursive: true });
    writeFileSync(`${flake}/${name}`, text);
  }
  // Another user has to get there.
  chmodSync(flake.slice(0, -folder.length - 1), 0o755);
  const [program, ...words] = [...by, process.execPath, "--no-warnings", "--input-type=module", "-e", SCRIPT, flake];
  const { PATH = "" } = process.env;
  const child = spawnSync(program as string, words, { encoding: "utf8", env: { PATH, ...env } });
  assert.is(child.status, 0, child.stderr);
  assert.not.ok(child.stdout.includes(flake), "no value or plan knows the folder");
  return child.stdout;
}

const first = evaluated({});
const same = (name: string, way: Way): void =>
  test(`evaluate() gives the same bytes ${name}`, () => assert.equal(JSON.parse(evaluated(way)), JSON.parse(first)));

test("evaluate() gives a plan that says much, for the other tests to compare", () => {
  const { value, derivations, sources } = JSON.parse(first) as {
    value: { places: string[]; caught: string };
    derivations: unknown[];
    sources: unknown[];
  };
  assert.is(derivations.length, 1);
  assert.is(sources.length, 3);
  assert.ok(
    value.places.every((place) => /\/@flake\/|\/nix\/store\//.test(place)),
    JSON.stringify(value.places),
  );
  assert.match(value.caught, "/@flake/flake.config.ts");
});
same("a second time", {});
same("in another folder", { folder: "some where/deeper/é/flake-2" });
same("in another time zone", { env: { TZ: "Asia/Kolkata" } });
same("in another language", { env: { LANG: "tr_TR.UTF-8", LC_ALL: "tr_TR.UTF-8", LANGUAGE: "tr" } });
same("with another home, and variables that steer Node", {
  env: { HOME: "/nonexistent", NODE_OPTIONS: "--stack-trace-limit=3", FORCE_COLOR: "3", NODE_ENV: "production" },
});
same("under another umask", { by: ["/bin/sh", "-c", 'umask 0077; exec "$@"', "sh"] });
same("with less stack and fewer processors", {
  by: ["/bin/sh", "-c", 'ulimit -s 4096; exec taskset -c 0 "$@"', "sh"],
});
same("with files that were written in another order", { files: [...FILES].reverse() });

const setpriv = findProgram("setpriv");
const readable =
  setpriv !== undefined &&
  spawnSync(setpriv, [
    "--reuid=65534",
    "--clear-groups",
    process.execPath,
    "-e",
    `require("node:fs").readFileSync(${JSON.stringify(`${findEngine()}/package.json`)})`,
  ]).status === 0;
if (process.getuid?.() === 0 && readable) {
  same("as another user", { by: [setpriv as string, "--reuid=65534", "--regid=65534", "--clear-groups"] });
} else {
  console.log("skipped: evaluating as another user needs root, setpriv, and an engine that others may read");
}

test.run();

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const OPTIONS = 20;
const READS = 5;

/** Where the module library in Nix lies that the Nix half is evaluated with. */
const LIBRARY = fileURLToPath(new URL("modules.nix", import.meta.url));

/** An option of an earlier module that a module reads. */
interface CrossRead {
  readonly module: number;
  readonly option: number;
}

/** Five options of earlier modules, spread so that chains of modules are no longer than they are in real systems. */
function readsOf(module: number): CrossRead[] {
  if (module === 0) return [];
  return Array.from({ length: READS }, (_, i) => ({ module: (module * 7919 + i * 104729) % module, option: 10 + i }));
}

/**
 * Write modules of 20 options each, of which every one reads five options of others, as a flake and as an equal Nix
 * expression: one file for each module, and an attribute `all` (the whole configuration) in either.
 */
export function writeModules(folder: string, count: number): void {
  mkdirSync(`${folder}/m`, { recursive: true });
  const all = Array.from({ length: count }, (_, module) => module);
  for (const module of all) {
    writeFileSync(`${folder}/m/m${module}.ts`, ourModule(module));
    writeFileSync(`${folder}/m/m${module}.nix`, theirModule(module));
  }
  writeFileSync(
    `${folder}/flake.config.ts`,
    `import { defineFlake } from "#floe/flake";
import { evaluateModules } from "#floe/module";
${all.map((module) => `import m${module} from "./m/m${module}.ts";`).join("\n")}

const modules = [${all.map((module) => `m${module}`).join(", ")}];

export default defineFlake({
  outputs() {
    return {
      get all() {
        return evaluateModules({ modules }).config;
      },
    };
  },
});
`,
  );
  const list = all.map((module) => `./m/m${module}.nix`).join(" ");
  writeFileSync(`${folder}/default.nix`, `{ all = (import ${LIBRARY}).evalModules [ ${list} ]; }\n`);
}

/**
 * Write the same modules as JavaScript beside functions that give back what they get, and a program that imports them all.
 *
 * @returns the program.
 */
export function writeImports(folder: string, count: number): string {
  mkdirSync(`${folder}/js`, { recursive: true });
  const all = Array.from({ length: count }, (_, module) => module);
  for (const module of all)
    writeFileSync(`${folder}/js/m${module}.mjs`, ourModule(module).replace('"#floe/module"', '"./nothing.mjs"'));
  writeFileSync(
    `${folder}/js/nothing.mjs`,
    `export const option = { int: (given) => given };
export const declare = (name, options) => ({ name, options });
export const defineModule = (declaration, rule) => ({ declaration, rule });
`,
  );
  const program = `${folder}/js/all.mjs`;
  writeFileSync(program, all.map((module) => `import "./m${module}.mjs";\n`).join(""));
  return program;
}

/** Let the first of the modules, which others read, say something else in either language. */
export function editModule(folder: string, value: number): void {
  writeFileSync(`${folder}/m/m0.ts`, ourModule(0).replace("{ o0: 0", `{ o0: 0, o10: ${value}`));
  writeFileSync(`${folder}/m/m0.nix`, theirModule(0).replace("{ o0 = 0;", `{ o0 = 0; o10 = ${value};`));
}

function ourModule(module: number): string {
  const options = Array.from(
    { length: OPTIONS },
    (_, i) => `  /** Setting ${i}. */\n  o${i}: option.int({ default: ${i} }),`,
  );
  const values = readsOf(module).map((read, i) => `, o${10 + i}: config.m${read.module}.o${read.option} + 1`);
  return `import { declare, defineModule, option } from "#floe/module";

const options = declare("m${module}", {
${options.join("\n")}
});

export default defineModule(options, ({ config, define }) => {
  define({ m${module}: { o0: ${module}${values.join("")} } });
});
`;
}

function theirModule(module: number): string {
  const options = Array.from(
    { length: OPTIONS },
    (_, i) => `    o${i} = mkOption { type = types.int; default = ${i}; description = "Setting ${i}."; };`,
  );
  const values = readsOf(module).map((read, i) => ` o${10 + i} = config.m${read.module}.o${read.option} + 1;`);
  return `{ config, mkOption, types, ... }:
{
  options.m${module} = {
${options.join("\n")}
  };
  config.m${module} = { o0 = ${module};${values.join("")} };
}
`;
}

/** How many packages one of them needs, each of which has a tenth of its number: three deep in a set of thousands. */
const NEEDS = 3;

function needsOf(number: number): number[] {
  const below = Math.floor(number / 10);
  return below === 0 ? [] : [...new Set(Array.from({ length: NEEDS }, (_, i) => (number * 7919 + i * 104729) % below))];
}

/**
 * Write a set of packages, a file for each, as a flake and as an equal Nix expression; either loads the file of a package once that is
 * asked for.
 *
 * @returns the name of the last one, which needs some of the others.
 */
export function writePackages(folder: string, count: number): string {
  mkdirSync(`${folder}/p`, { recursive: true });
  const all = Array.from({ length: count }, (_, number) => number);
  for (const number of all) {
    writeFileSync(`${folder}/p/p${number}.ts`, ourPackage(number));
    writeFileSync(`${folder}/p/p${number}.nix`, theirPackage(number));
  }
  writeFileSync(
    `${folder}/make.ts`,
    `import { makePackage, type Package } from "#floe/package";

export function make(name: string, inputs: readonly Package[]) {
  return makePackage<any>({
    attributes: { name, version: "1.0", summary: "A package", homepage: "https://example.org", license: "MIT", inputs },
    derive: ({ inputs }) => ({ name, system: "x86_64-linux", builder: "/bin/sh", args: ["-c", "echo > $out"], env: { inputs } }),
  });
}
`,
  );
  writeFileSync(
    `${folder}/flake.config.ts`,
    `import { defineFlake, importLazily } from "#floe/flake";
import { makePackageSet, type PackageDefinition } from "#floe/package";

const definitions = importLazily<PackageDefinition>({
${all.map((number) => `  p${number}: "./p/p${number}.ts",`).join("\n")}
});

export default defineFlake({
  outputs: () => ({ packages: { "x86_64-linux": makePackageSet({ definitions, tools: () => ({}) }) } }),
});
`,
  );
  writeFileSync(
    `${folder}/default.nix`,
    `let
  call = file: let make = import file; in make (builtins.intersectAttrs (builtins.functionArgs make) set);
  names = map (builtins.replaceStrings [ ".nix" ] [ "" ]) (builtins.filter (name: builtins.match ".*\\\\.nix" name != null) (builtins.attrNames (builtins.readDir ./p)));
  set = builtins.listToAttrs (map (name: { inherit name; value = call (./p + "/\${name}.nix"); }) names);
in
set
`,
  );
  return `p${count - 1}`;
}

/** Let a package be another one in either language. */
export function editPackage(folder: string, number: number, round: number): void {
  writeFileSync(`${folder}/p/p${number}.ts`, ourPackage(number, `-${round}`));
  writeFileSync(`${folder}/p/p${number}.nix`, theirPackage(number, `-${round}`));
}

function ourPackage(number: number, edit = ""): string {
  const needs = needsOf(number).map((each) => `p${each}`);
  return `import { definePackage, type Package } from "#floe/package";
import { make } from "../make.ts";

export default definePackage((pkgs) => {
  const { ${needs.join(", ")} } = pkgs as unknown as Readonly<Record<string, Package>>;
  return make("p${number}${edit}", [${needs.map((name) => `${name} as Package`).join(", ")}]);
});
`;
}

function theirPackage(number: number, edit = ""): string {
  const needs = needsOf(number).map((each) => `p${each}`);
  return `{ ${needs.join(", ")} }:
derivation {
  name = "p${number}${edit}";
  system = "x86_64-linux";
  builder = "/bin/sh";
  args = [ "-c" "echo > $out" ];
  inputs = [ ${needs.join(" ")} ];
}
`;
}

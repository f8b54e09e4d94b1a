/**
 * `node compile-program.ts PROGRAM ROOT`: run small commands in this process, and write the code of all functions that they called
 * beside the script of the program. What they say goes to stdout, which nobody reads.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeFile, loadProgram } from "./program-script.ts";

const FLAKE = `import { derivation } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
import { declare, defineModule, evaluateModules, option } from "#floe/module";

const web = defineModule(declare("web", { port: option.port({ default: 80 }) }), () => {});
const one = derivation({ name: "one", system: "x86_64-linux", builder: "/bin/sh" });

export default defineFlake({
  inputs: { page: { url: "path:./page", flake: false } },
  outputs: () => ({
    packages: { "x86_64-linux": { default: one } },
    systems: { box: { kind: "system", name: "box", toplevel: one, evaluated: evaluateModules({ modules: [web] }) } as never },
  }),
});
`;

const [program = "", root = ""] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "floe-compile-"));
process.env["XDG_CACHE_HOME"] = join(folder, "cache");
process.env["XDG_CONFIG_HOME"] = join(folder, "config");
const flake = join(folder, "flake");
const COMMANDS = [
  ["eval", `${flake}#packages.x86_64-linux.default.name`],
  ["search", "one", "--json"],
  ["option", "show", "web.port", "--flake", `${flake}#box`],
  ["system", "build", `${flake}#box`, "--dry-run", "--no-link"],
  ["build", `${flake}#default`, "--dry-run", "--no-link"],
  ["store", "info"],
];
try {
  cpSync(join(root, "vm-tests/pages"), join(flake, "page"), { recursive: true });
  writeFileSync(join(flake, "flake.config.ts"), FLAKE);
  // A checkout, as most flakes are; without git, its part is compiled when it is called.
  spawnSync("git", ["init", "--quiet", flake]);
  process.chdir(flake);
  const { script, runFloe } = loadProgram(program, root);
  // The second time most answers come from records.
  for (const words of [...COMMANDS, ...COMMANDS]) await runFloe([...words, "--store", join(folder, "store")]);
  process.exitCode = 0;
  writeFileSync(`${codeFile(program)}.new`, script.createCachedData());
  renameSync(`${codeFile(program)}.new`, codeFile(program));
} finally {
  process.chdir("/");
  rmSync(folder, { recursive: true, force: true });
}

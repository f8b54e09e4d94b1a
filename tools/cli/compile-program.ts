/**
 * `node compile-program.ts PROGRAM ROOT`: run small commands in this process, and write the code of all functions that they called
 * beside the script of the program, first of commands that ask, then of those that make store objects too. What they say goes to stdout, which nobody reads.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeFile, loadProgram } from "./program-script.ts";

const FLAKE = `import { derivation } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
import { declare, defineModule, evaluateModules, option } from "#floe/module";

const web = defineModule(declare("web", { port: option.port({ default: 80 }) }), () => {});
const one = derivation({ name: "one", system: "x86_64-linux", builder: "/bin/sh" });
const page = derivation({ name: "page", system: "builtin", builder: "builtin:fetchurl", fixed: { method: "flat", hash: "HASH" }, env: { url: "URL" } });

export default defineFlake({
  inputs: { page: { url: "path:./page", flake: false } },
  outputs: () => ({
    packages: { "x86_64-linux": { default: one, page } },
    systems: { box: { kind: "system", name: "box", toplevel: one, evaluated: evaluateModules({ modules: [web] }) } as never },
  }),
});
`;

const [program = "", root = ""] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "floe-compile-"));
process.env["XDG_CACHE_HOME"] = join(folder, "cache");
process.env["XDG_CONFIG_HOME"] = join(folder, "config");
const flake = join(folder, "flake");
const store = join(folder, "store");
const page = join(flake, "page.html");
const cache = `file://${folder}/binary-cache`;
const ASKING = [
  ["eval", `${flake}#packages.x86_64-linux.default.name`],
  ["search", "one", "--json"],
  ["option", "show", "web.port", "--flake", `${flake}#box`],
  ["system", "build", `${flake}#box`, "--dry-run", "--no-link"],
  ["build", `${flake}#default`, "--dry-run", "--no-link"],
  ["store", "info"],
  ["store", "verify", "--no-contents"],
];
const MAKING = [
  // One that is made, and one that fails, since its sandbox holds no such program.
  ["build", `${flake}#page`, "--no-link"],
  ["build", `${flake}#default`, "--no-link"],
  ["copy", "--to", cache, `${flake}#page`],
  ["copy", "--from", cache, "--no-check-sigs", `${flake}#page`],
  ["store", "add", page],
  ["store", "gc"],
];
try {
  cpSync(join(root, "vm-tests/pages"), join(flake, "page"), { recursive: true });
  writeFileSync(page, "a page\n");
  const hash = `sha256-${createHash("sha256").update("a page\n").digest("base64")}`;
  writeFileSync(join(flake, "flake.config.ts"), FLAKE.replace("HASH", hash).replace("URL", `file://${page}`));
  // A checkout, as most flakes are; without git, its part is compiled when it is called.
  spawnSync("git", ["init", "--quiet", flake]);
  process.chdir(flake);
  const { script, runFloe } = loadProgram(program, root, ["store", "info"]);
  for (const [kind, commands] of [
    ["asking", ASKING],
    ["making", MAKING],
  ] as const) {
    // The second time most answers come from records.
    for (const words of [...commands, ...commands]) await runFloe([...words, "--store", store]);
    writeFileSync(`${codeFile(program, kind)}.new`, script.createCachedData());
    renameSync(`${codeFile(program, kind)}.new`, codeFile(program, kind));
  }
  process.exitCode = 0;
} finally {
  process.chdir("/");
  rmSync(folder, { recursive: true, force: true });
}

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "./engine.ts";
import { ask, errorOf, flakeIn } from "./testing.ts";

const root = findEngine();

/** This repository's own flake with a slip in it, in a folder that reaches the same modules. */
function misspelt(): { folder: string; line: number } {
  mkdirSync(join(root, "dist"), { recursive: true });
  const folder = mkdtempSync(join(root, "dist/misspelt-"));
  process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  const text = readFileSync(join(root, "flake.config.ts"), "utf8")
    .replaceAll('from "./', 'from "../../')
    .replace(/inputs: \{[^}]*\},\s*\},/, "")
    .replace("outputs({ inputs })", "outputs()")
    .replace("`${inputs.pages}`", '"/srv"')
    .replace("nginx: {", "ngnix: {");
  writeFileSync(join(folder, "flake.config.ts"), text);
  return { folder, line: text.slice(0, text.indexOf("ngnix")).split("\n").length };
}

const { folder, line } = misspelt();

test("a misspelt option is a type error on its line", () => {
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", include: ["flake.config.ts"], exclude: [] }),
  );
  const { status, stdout } = spawnSync(
    join(root, "node_modules/.bin/tsc"),
    ["--noEmit", "--pretty", "false", "-p", folder],
    {
      encoding: "utf8",
    },
  );
  assert.is(status === 0, false);
  assert.match(
    stdout,
    new RegExp(`flake\\.config\\.ts\\(${line},\\d+\\): error TS\\d+: .*'ngnix'.*Did you mean to write 'nginx'\\?`),
  );
});

test("a misspelt option is an error of the evaluation, with the place of the configuration it is in", async () => {
  const flake = { ...flakeIn(folder), sourceDirectory: root };
  const error = await errorOf(ask(flake, "web"));
  assert.is(error.code, "option.unknown");
  assert.match(error.message, '"services.ngnix"');
  assert.is(error.hint, 'Did you mean "services.nginx"?');
  assert.is(error.at?.file, join(folder, "flake.config.ts"));
  assert.ok((error.at?.line ?? 0) <= line);
  assert.ok(error.details?.every((detail) => !detail.includes("/core/")));
});

test.run();

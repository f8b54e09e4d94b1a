/** What the program says when the machine, the flake or its inputs are not as they should be. */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CliResult, floeCommand, runFloe, temporaryDirectory } from "./testing.ts";
import { writeFlake } from "./testing-flake.ts";

const directory = temporaryDirectory();
const cache = join(directory, "cache");
const errorLine = (result: CliResult) =>
  result.stderr.split("\n").find((line) => / ?error: /.test(line)) ?? result.stderr;

function flakeIn(name: string, packages: string, more = ""): string {
  const flake = join(directory, name);
  mkdirSync(flake);
  writeFlake(flake, packages, more);
  return flake;
}

function build(cwd: string, ...words: string[]): Promise<CliResult> {
  return runFloe(["build", "--no-link", "--store", join(directory, "root"), ...words], {
    cwd,
    env: { XDG_CACHE_HOME: cache },
  });
}

/** Run floe as the root of a user namespace of its own, after a line of shell has prepared it. */
function floeAfter(preparation: string, words: readonly string[], cwd: string): Promise<CliResult> {
  const child = spawn(
    "unshare",
    [
      "--user",
      "--map-root-user",
      "--mount",
      "sh",
      "-ec",
      `${preparation}; exec "$@"`,
      "sh",
      process.execPath,
      ...floeCommand(),
      ...words,
    ],
    { cwd, env: { ...process.env, NO_COLOR: "1", XDG_CACHE_HOME: cache }, stdio: ["ignore", "pipe", "pipe"] },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => {
    stdout += text;
  });
  child.stderr.on("data", (text) => {
    stderr += text;
  });
  return new Promise((resolve) => void child.on("close", (code) => resolve({ code: code ?? -1, stdout, stderr })));
}

test("an input that is not there is an error that names it and where it was looked for", async () => {
  const flake = flakeIn(
    "missing-input",
    'page: shell("page", "echo hello > $out; : " + inputs.pages)',
    'inputs: { pages: "path:./gone" },',
  );
  const result = await build(flake, ".#page");
  assert.is(result.code, 1);
  assert.match(errorLine(result), /error: Cannot .*"?.*gone.*/);
  assert.not.ok(existsSync(join(flake, "lock.json")), "nothing is locked");
});

test("an input that is not declared is an error at the line that uses it", async () => {
  const flake = flakeIn("undeclared-input", 'page: shell("page", `: ${(inputs as any).pages.outPath}`)');
  const result = await build(flake, ".#page");
  assert.is(result.code, 1);
  assert.match(errorLine(result), /^flake\.config\.ts:\d+:\d+: error: .*pages/);
});

/** A flake whose machine has the options of a web server, and the configuration given as TypeScript. */
function configuredFlake(name: string, config: string): string {
  const flake = join(directory, name);
  mkdirSync(flake);
  writeFileSync(
    join(flake, "flake.config.ts"),
    `import { defineFlake } from "#floe/flake";
import { declare, defineModule, evaluateModules, option } from "#floe/module";

const web = defineModule(declare("services.web", { enable: option.bool({ default: false }), port: option.port({ default: 80 }) }));
const machine = evaluateModules({
  modules: [web],
  config: {
    ${config}
  } as any,
});
export default defineFlake({ outputs: () => ({ port: (machine.config as any).services.web.port }) });
`,
  );
  return flake;
}

const evaluate = (cwd: string) =>
  runFloe(["eval", ".#port", "--store", join(directory, "root")], { cwd, env: { XDG_CACHE_HOME: cache } });

test("a misspelt option is an error at the user's file that names the nearest one", async () => {
  const good = await evaluate(configuredFlake("right-option", "services: { web: { port: 8080 } },"));
  assert.is(good.stdout, "8080\n", good.stderr);
  const result = await evaluate(configuredFlake("misspelt-option", "services: { web: { prot: 8080 } },"));
  assert.is(result.code, 1);
  assert.match(errorLine(result), /^flake\.config\.ts:\d+:\d+: error: Cannot .*prot.*\[option\..*\]$/);
  assert.match(result.stderr, /Did you mean "(services\.web\.)?port"/);
});

test("a value of the wrong type is an error at the user's file that says what is expected", async () => {
  const result = await evaluate(configuredFlake("wrong-type", 'services: { web: { port: "eighty" } },'));
  assert.is(result.code, 1);
  assert.match(
    errorLine(result),
    /^flake\.config\.ts:\d+:\d+: error: Cannot use "eighty" for option "services\.web\.port": .*\[option\.wrong-type\]$/,
  );
});

test("a configuration that does not parse is an error at its line", async () => {
  const flake = flakeIn("syntax", "page: shell(");
  const result = await build(flake, ".#page");
  assert.is(result.code, 1);
  assert.match(errorLine(result), /^flake\.config\.ts:\d+:\d+: error: /);
});

test("a lock that does not fit is an error with --locked", async () => {
  const flake = flakeIn("unlocked", 'page: shell("page", "echo hello > $out")', 'inputs: { pages: "path:./shell" },');
  const result = await build(flake, ".#page", "--locked");
  assert.is(result.code, 1);
  assert.match(errorLine(result), /error: Cannot use the lock .* \[flake\.lock-stale\]/);
  assert.match(result.stderr, "floe flake lock");
});

test("a directory without a flake is an error that says how to name one", async () => {
  mkdirSync(join(directory, "empty"));
  const result = await build(join(directory, "empty"), ".#page");
  assert.is(result.code, 1);
  assert.match(errorLine(result), /^error: Cannot find a flake in "\.": .*\[flake\.not-found\]$/);
});

test("a full disk is an error that says so, and nothing is registered", async () => {
  const flake = flakeIn(
    "full",
    'big: shell("big", "i=0; while [ $i -lt 60000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890123; i=$((i+1)); done > $out")',
  );
  const small = join(directory, "small");
  mkdirSync(small);
  const result = await floeAfter(
    `mount -t tmpfs -o size=5m tmpfs ${small}`,
    ["build", "--no-link", "--store", small, ".#big"],
    flake,
  );
  assert.ok(result.code === 100 || result.code === 1, result.stderr);
  assert.match(errorLine(result), /error: Cannot .*no space is left.*\[(build\.disk-full|disk\.full)\]/);
  assert.equal(readdirSync(small), []);
});

test("a machine without user namespaces is an error that says how to allow them, and nothing is built", async () => {
  const flake = flakeIn("no-namespaces", 'page: shell("page", "echo hello > $out")');
  const store = join(directory, "no-namespaces-root");
  const result = await floeAfter(
    "echo 0 > /proc/sys/user/max_user_namespaces",
    ["build", "--no-link", "--store", store, ".#page"],
    flake,
  );
  assert.ok(result.code !== 0);
  assert.match(errorLine(result), /error: Cannot .*user namespaces.*\[.*\]/);
  assert.match(result.stderr, "sysctl -w");
});

test.run();

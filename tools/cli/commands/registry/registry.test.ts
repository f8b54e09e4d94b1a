import { mkdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { CliResult } from "../../testing.ts";
import { configText, flakeWith, type InputsWorld, openInputsWorld } from "../../testing-inputs.ts";

const test = suite("names of flakes, and faults of inputs");
let world: InputsWorld;

test.before(async () => {
  world = await openInputsWorld();
});
test.after(() => world.close());

test("--inputs-from lets the inputs of a flake be names", async () => {
  const { repository: source, url } = world.repository("names");
  source.write({ "flake.config.ts": configText("{}", '{ name: "locked" }') }).commit();
  const folder = flakeWith(`{ tool: "${url}" }`);
  await world.ok(folder, "flake", "lock");
  source.write({ "flake.config.ts": configText("{}", '{ name: "newer" }') }).commit();
  assert.is(await world.ok(folder, "eval", "--raw", "tool#name", "--inputs-from", "."), "locked");
  const unknown = await world.run(folder, "eval", "tools#name", "--inputs-from", ".");
  assert.match(unknown.stderr, "[registry.unknown-name]");
  assert.match(unknown.stderr, 'Did you mean "tool"?');
});

test("an error of an input begins with the line that declares it, or names the flag", async () => {
  const folder = flakeWith(`{\n    good: { url: "path:./x", flake: false },\n    bad: "git+${world.url}nothing",\n  }`);
  mkdirSync(`${folder}/x`);
  const { code, stderr } = await world.run(folder, "flake", "lock");
  assert.is(code, 1);
  assert.match(stderr, /^flake\.config\.ts:5:10: error: Cannot find a git repository .*\[git\.no-repository\]/m);
  const flag = await world.run(folder, "flake", "lock", "--override-input", "bad", "./nowhere");
  assert.match(flag.stderr, "[flake.path-missing]");
  assert.match(flag.stderr, "given by --override-input bad");
  const misspelt = await world.run(folder, "flake", "lock", "--override-input", "bda", "./x");
  assert.match(misspelt.stderr, 'Did you mean "bad"?');
  const malformed = await world.run(folder, "flake", "lock", "--override-input", "=x");
  assert.match(malformed.stderr, "[cli.bad-override]");
  const name = flakeWith('{ a: "flake:something" }');
  assert.match(
    (await world.run(name, "flake", "lock")).stderr,
    /^flake\.config\.ts:3:16: error: .*\[flake-reference\.registry-name\]/m,
  );
});

test("floe registry gives flakes names, on the command line alone", async () => {
  const { repository: source, url } = world.repository("registry");
  const rev = source.write({ "flake.config.ts": configText("{}", '{ name: "named" }') }).commit();
  source.git("tag", "v1");
  const cwd = world.root;
  const registry = (...words: string[]): Promise<CliResult> => world.floe(cwd, "registry", ...words);
  assert.match((await registry("add", "mine", url)).stderr, `mine stands for ${url}`);
  await registry("add", "other", "mine");
  assert.is((await registry("list")).stdout, `user   mine ${url}\nuser   other flake:mine\n`);
  assert.is((await registry("resolve", "other/v1")).stdout, `${url}?ref=v1\n`);
  assert.is(await world.ok(cwd, "eval", "--raw", "mine#name"), "named");
  assert.is(await world.ok(cwd, "eval", "--raw", "flake:other/v1#name"), "named");
  await world.ok(cwd, "registry", "pin", "mine");
  assert.match((await registry("resolve", "mine")).stdout, `?ref=refs/heads/main&rev=${rev}&narHash=sha256-`);
  source.write({ "flake.config.ts": configText("{}", '{ name: "newer" }') }).commit();
  assert.is(await world.ok(cwd, "eval", "--raw", "mine#name"), "named");
  const inManifest = await world.run(flakeWith('{ mine: "mine" }'), "flake", "lock");
  assert.match(inManifest.stderr, "[flake-reference.malformed]");
  assert.is((await registry("remove", "mine")).code, 0);
  assert.match((await registry("remove", "mien")).stderr, "[registry.unknown-name]");
  assert.match((await world.run(cwd, "eval", "other#name")).stderr, "[registry.unknown-name]");
});

test.run();

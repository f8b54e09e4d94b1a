import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { configText, flakeWith, type InputsWorld, openInputsWorld } from "../../testing-inputs.ts";

const test = suite("what takes the place of inputs");
let world: InputsWorld;

test.before(async () => {
  world = await openInputsWorld();
});
test.after(() => world.close());

test("--override-input puts another flake in the place of an input, at any depth, and writes no lock", async () => {
  const [deep, lib, app] = [world.repository("deep"), world.repository("lib"), world.repository("app")];
  deep.repository.write({ "flake.config.ts": configText("{}", '{ name: "deep" }') }).commit();
  lib.repository.write({
    "flake.config.ts": configText(`{ deep: "${deep.url}" }`, '{ name: "lib of " + inputs.deep.name }'),
  });
  await world.ok(lib.repository.folder, "flake", "lock");
  lib.repository.commit();
  app.repository.write({
    "flake.config.ts": configText(`{ lib: "${lib.url}" }`, '{ name: "app with " + inputs.lib.name }'),
  });
  await world.ok(app.repository.folder, "flake", "lock");
  app.repository.commit();
  const folder = flakeWith(`{ app: "${app.url}" }`, "{ name: inputs.app.name }");
  await world.ok(folder, "flake", "lock");
  const before = readFileSync(`${folder}/lock.json`, "utf8");
  mkdirSync(`${folder}/mine`);
  writeFileSync(`${folder}/mine/flake.config.ts`, configText("{}", '{ name: "mine" }'));
  const name = (...words: string[]): Promise<string> => world.ok(folder, "eval", "--raw", ".#name", ...words);
  assert.is(await name(), "app with lib of deep");
  assert.is(await name("--override-input", "app/lib/deep", "./mine"), "app with lib of mine");
  assert.is(await name("--override-input", "app/lib", "./mine"), "app with mine");
  assert.is(await name("--override-input", "app", "./mine"), "mine");
  assert.is(readFileSync(`${folder}/lock.json`, "utf8"), before);
  // The same for good.
  writeFileSync(
    `${folder}/flake.config.ts`,
    configText(
      `{ app: { url: "${app.url}", inputs: { lib: { inputs: { deep: { follows: "mine" } } } } }, mine: "./mine" }`,
      "{ name: inputs.app.name }",
    ),
  );
  assert.is(await name("--locked").catch(() => "stale"), "stale");
  assert.is(await name(), "app with lib of mine");
  assert.is(await name("--locked"), "app with lib of mine");
  const nodes = JSON.parse(readFileSync(`${folder}/lock.json`, "utf8")).nodes;
  assert.equal(nodes.app.overrides, { "lib/deep": ["mine"] });
});

test("floe flake metadata tells an input where it is declared, and what follows it by its name", async () => {
  const [lib, app] = [world.repository("followed"), world.repository("following")];
  lib.repository.write({ "flake.config.ts": configText("{}", "{}") }).commit();
  app.repository.write({ "flake.config.ts": configText(`{ lib: "${lib.url}" }`, "{}") }).commit();
  const follows = `{ app: { url: "${app.url}", inputs: { lib: { follows: "lib" } } }, lib: "${lib.url}", base: { follows: "lib" } }`;
  const shown = await world.ok(flakeWith(follows, "{}"), "flake", "metadata");
  assert.match(shown, /^│ {3}└── lib: is lib$/m);
  assert.match(shown, /^├── base: is lib$/m);
  assert.match(shown, /^└── lib: git\+/m);
});

test("an empty follows leaves an input out, also where its owner pins it", async () => {
  const [inner, outer] = [world.repository("inner"), world.repository("outer")];
  inner.repository.write({ a: "" }).commit();
  outer.repository.write({ "flake.config.ts": configText(`{ inner: "${inner.url}" }`, "{ has: 'inner' in inputs }") });
  await world.ok(outer.repository.folder, "flake", "lock");
  outer.repository.commit();
  const folder = flakeWith(
    `{ outer: { url: "${outer.url}", inputs: { inner: { follows: "" } } } }`,
    "{ has: inputs.outer.has }",
  );
  assert.is(await world.ok(folder, "eval", ".#has"), "false\n");
  assert.match(await world.ok(folder, "flake", "metadata", "--json"), /"outer"/);
});

test.run();

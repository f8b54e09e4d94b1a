import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runFloe, temporaryDirectory } from "../../testing.ts";
import { type InputsWorld, openInputsWorld } from "../../testing-inputs.ts";

const test = suite("templates");
let world: InputsWorld;

test.before(async () => {
  world = await openInputsWorld();
});
test.after(() => world.close());

const TEMPLATES = `import { local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
export default defineFlake({
  outputs: () => ({
    templates: { start: { path: local("./start"), description: "A start", welcome: "Well begun" } },
    text: "a",
  }),
});
`;
const START = `import { defineFlake } from "#floe/flake";
export default defineFlake({
  inputs: { origin: "path:.." },
  outputs: ({ inputs }) => ({ text: inputs.origin.text }),
});
`;

// They are really built by ../../../test/builds/templates.test.ts, where there is a toolchain.
for (const template of ["package", "module", "system", "dev-shell", "program"]) {
  test(`floe flake init -t ${template} begins a flake that has Floe as input, and is right`, async () => {
    const folder = temporaryDirectory();
    const written = await world.run(folder, "flake", "init", "-t", template);
    assert.is(written.code, 0, written.stderr);
    assert.match(written.stderr, "wrote flake.config.ts");
    const checked = await world.run(folder, "flake", "check", "--no-build");
    assert.is(checked.code, 0, checked.stderr);
  });
}

test("floe flake init -t module begins a module whose options are described", async () => {
  const folder = temporaryDirectory();
  await world.ok(folder, "flake", "init", "-t", "module");
  const shown = await world.ok(folder, "option", "show", "services.motd.greeting");
  assert.match(shown, /^services\.motd\.greeting\n {2}What is said, one line\.\n/);
});

test("floe flake new takes the template of any flake, and names it as the origin", async () => {
  const { repository, url } = world.repository("templates");
  repository.write({ "flake.config.ts": TEMPLATES, "start/flake.config.ts": START }).commit();
  const parent = temporaryDirectory();
  const made = await world.run(parent, "flake", "new", "mine", "-t", `${url}#start`);
  assert.is(made.code, 0, made.stderr);
  assert.match(made.stderr, "Well begun");
  assert.match(readFileSync(`${parent}/mine/flake.config.ts`, "utf8"), `origin: "${url}"`);
  assert.is(await world.ok(`${parent}/mine`, "eval", "--raw", ".#text"), "a");
});

test("floe flake init takes the template of a folder, and of a name of the registry", async () => {
  const origin = temporaryDirectory();
  writeFileSync(`${origin}/flake.config.ts`, TEMPLATES);
  mkdirSync(`${origin}/start`);
  writeFileSync(`${origin}/start/flake.config.ts`, START);
  const [byPath, byName] = [temporaryDirectory(), temporaryDirectory()];
  const { written, origin: told } = JSON.parse(
    await world.ok(byPath, "flake", "init", "-t", `${origin}#start`, "--json"),
  );
  assert.equal([written, told], [["flake.config.ts"], `path:${origin}`]);
  await world.floe(byName, "registry", "add", "mine", `path:${origin}`);
  await world.ok(byName, "flake", "init", "-t", "mine#start");
  assert.is(readFileSync(`${byName}/flake.config.ts`, "utf8"), readFileSync(`${byPath}/flake.config.ts`, "utf8"));
});

test("floe flake init writes nothing where something is in the way, and refuses what is no template", async () => {
  const folder = temporaryDirectory();
  writeFileSync(`${folder}/flake.config.ts`, TEMPLATES);
  const refused = await world.run(folder, "flake", "init");
  assert.is(refused.code, 1);
  assert.match(refused.stderr, "[flake.template-in-the-way]");
  assert.equal(readdirSync(folder), ["flake.config.ts"]);
  const none = await world.run(temporaryDirectory(), "flake", "init", "-t", `${folder}#text`);
  assert.match(none.stderr, "[flake.not-a-template]");
  const near = await world.run(temporaryDirectory(), "flake", "init", "-t", "pakage");
  assert.match(near.stderr, 'Did you mean "package"?');
  // In a folder without a flake, `floe flake show` would help nobody.
  const far = await world.run(temporaryDirectory(), "flake", "init", "-t", "haskell");
  assert.match(far.stderr, "hint: Its templates are default, dev-shell, module, package, program, system.");
});

test("floe flake archive puts a flake and its inputs into a store, for an evaluation without a network", async () => {
  const { repository, url } = world.repository("input");
  repository.write({ "flake.config.ts": TEMPLATES, "start/flake.config.ts": START }).commit();
  const folder = temporaryDirectory();
  writeFileSync(`${folder}/flake.config.ts`, START.replace('"path:.."', JSON.stringify(url)));
  const other = temporaryDirectory();
  const dry = JSON.parse(await world.ok(folder, "flake", "archive", "--to", other, "--json", "--dry-run"));
  assert.match(dry.path, /^\/nix\/store\/.{32}-source$/);
  assert.equal(dry.inputs, { origin: "origin" });
  assert.equal(readdirSync(other), []);
  const printed = (await world.ok(folder, "flake", "archive", "--to", other)).trim().split("\n");
  // The lock is part of the source now.
  assert.is(printed.length, 2);
  assert.is(printed[1], dry.nodes.origin.path);
  for (const path of printed) assert.ok(readdirSync(`${other}${path}`).includes("flake.config.ts"));
  const env = { XDG_CACHE_HOME: temporaryDirectory() };
  const away = await runFloe(["eval", "--raw", ".#text", "--offline", "--store", other], { cwd: folder, env });
  assert.is(away.stdout, "a", away.stderr);
});

test.run();

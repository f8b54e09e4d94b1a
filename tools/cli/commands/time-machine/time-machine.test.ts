import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findEngine } from "../../../../core/host/evaluator/index.ts";
import { findFlake } from "../../../../core/host/flake/index.ts";
import { TestRepository } from "../../../../core/host/git/testing.ts";
import { formatSources } from "../../../../core/system/switch/index.ts";
import { configText, flakeWith, type InputsWorld, openInputsWorld } from "../../testing-inputs.ts";
import { type CliResult, temporaryDirectory } from "../../testing.ts";

const test = suite("time machine");
let world: InputsWorld;

test.before(async () => {
  world = await openInputsWorld();
});
test.after(() => world.close());

/** All of it with a store of its own, which the command inherits. */
const store = temporaryDirectory();
const travel = (cwd: string, flags: readonly string[], ...words: string[]): Promise<CliResult> =>
  world.floe(cwd, "time-machine", ...flags, "--store", store, "--", ...words);

const day = (repository: TestRepository, rev: string): string =>
  new Date(Number(repository.git("show", "--no-patch", "--format=%ct", rev)) * 1000).toISOString().slice(0, 10);

test("floe time-machine --date runs a command with inputs as they were, and writes no lock", async () => {
  const { repository, url } = world.repository("dated");
  const first = repository.write({ a: "1" }).commit();
  const second = repository.write({ a: "2" }).commit();
  const folder = flakeWith(`{ a: "${url}", here: "path:./here" }`, "{ rev: inputs.a.sourceInfo.rev }");
  mkdirSync(`${folder}/here`);
  await world.ok(folder, "flake", "lock");
  const lock = readFileSync(`${folder}/lock.json`, "utf8");
  const at = (date: string) => travel(folder, ["--date", date], "eval", "--raw", ".#rev");
  const before = await at(day(repository, first));
  assert.is(before.stdout, first, before.stderr);
  assert.match(before.stderr, `a: ${url}?rev=${first}`);
  assert.is((await at(`${day(repository, second)}T23:00:00Z`)).stdout, second);
  assert.is(readFileSync(`${folder}/lock.json`, "utf8"), lock);
  const young = await at("2001-01-01");
  assert.is(young.code, 1);
  assert.match(young.stderr, "[git.too-young]");
});

test("floe time-machine --rev takes the lock of a commit, and hands on the exit code", async () => {
  const { repository, url } = world.repository("locked");
  const first = repository.write({ a: "1" }).commit();
  const own = new TestRepository(temporaryDirectory());
  own.write({ "sub/flake.config.ts": configText(`{ a: "${url}" }`, "{ rev: inputs.a.sourceInfo.rev }") });
  const folder = `${own.folder}/sub`;
  await world.ok(folder, "flake", "lock");
  own.commit();
  const second = repository.write({ a: "2" }).commit();
  await world.ok(folder, "flake", "update");
  own.commit();
  const lock = readFileSync(`${folder}/lock.json`, "utf8");
  assert.is(await world.ok(folder, "eval", "--raw", ".#rev"), second);
  const past = (rev: string, ...words: string[]) => travel(folder, ["--rev", rev], ...words);
  assert.is((await past("HEAD~1", "eval", "--raw", ".#rev")).stdout, first);
  assert.is((await past("HEAD", "eval", "--raw", ".#rev")).stdout, second);
  assert.is(readFileSync(`${folder}/lock.json`, "utf8"), lock);
  const failed = await past("HEAD", "flake", "lock", "--swich");
  assert.is(failed.code, 64);
  assert.match((await past("none", "eval", ".#rev")).stderr, "[git.unknown-revision]");
  own.git("rm", "--quiet", "--cached", "sub/lock.json");
  own.git("commit", "--quiet", "--message", "without");
  assert.match((await past("HEAD", "eval", ".#rev")).stderr, "[time-machine.no-lock]");
});

test("floe time-machine --sources takes what a system was made of", async () => {
  const { repository, url } = world.repository("made");
  const first = repository.write({ a: "1" }).commit();
  repository.write({ a: "2" }).commit();
  const folder = flakeWith(`{ a: "${url}" }`, "{ rev: inputs.a.sourceInfo.rev }");
  await world.ok(folder, "flake", "lock");
  const system = temporaryDirectory();
  const bare = url.replace(/^git\+/, "");
  const source = { type: "git", url: bare, rev: first, ref: "refs/heads/main" };
  writeFileSync(`${system}/sources.json`, formatSources({ a: source, other: source }));
  const made = (path: string) => travel(folder, ["--sources", path], "eval", "--raw", ".#rev");
  assert.is((await made(system)).stdout, first);
  assert.is((await made(`${system}/sources.json`)).stdout, first);
  assert.match((await made(folder)).stderr, "[time-machine.no-sources]");
});

test("floe time-machine --tool runs a command by another revision of Floe", async () => {
  const engine = findEngine();
  const { sourceDirectory, files } = await findFlake(engine, engine);
  if (files === undefined)
    return console.log("skipped: this tree is no checkout, so nobody says which files are part of it");
  const floe = new TestRepository(temporaryDirectory());
  const isPart = (file: string): boolean =>
    /^(core|tools\/cli|vm-tests|modules|pkgs)\//.test(file) || /^(package(-lock)?\.json|tsconfig.*)$/.test(file);
  for (const file of files.filter(isPart)) {
    mkdirSync(dirname(join(floe.folder, file)), { recursive: true });
    copyFileSync(join(sourceDirectory, file), join(floe.folder, file));
  }
  const earlier = floe.commit();
  floe.write({ "tools/cli/floe": "exit 42\n" }).commit();
  const folder = flakeWith("{}", "{ answer: 42 }");
  const reference = `git+file://${floe.folder}`;
  const past = await travel(folder, ["--tool", `${reference}?rev=${earlier}`], "eval", ".#answer");
  assert.is(past.stdout.trim(), "42", past.stderr);
  // The Floe whose packages it shares has others by now.
  const [place = ""] = readdirSync(`${world.root}/cache/floe/tools`);
  const packages = `${world.root}/cache/floe/tools/${place}/node_modules`;
  const later = temporaryDirectory();
  mkdirSync(`${later}/node_modules`);
  writeFileSync(`${later}/package-lock.json`, "{}");
  rmSync(packages);
  symlinkSync(`${later}/node_modules`, packages);
  const date = day(floe, earlier);
  const dated = await travel(folder, ["--tool", reference, "--date", date], "eval", ".#answer");
  assert.is(dated.stdout.trim(), "42", dated.stderr);
  assert.is((await travel(folder, ["--tool", reference], "eval", ".#answer")).code, 42);
  const other = new TestRepository(temporaryDirectory());
  other.write({ a: "" }).commit();
  const none = await travel(folder, ["--tool", `git+file://${other.folder}`], "eval", ".#answer");
  assert.match(none.stderr, "[time-machine.no-tool]");
});

test("floe time-machine --tool installs the packages that a tree names, and says why it cannot", async () => {
  const floe = new TestRepository(temporaryDirectory());
  const lock = {
    name: "a",
    version: "1.0.0",
    lockfileVersion: 3,
    packages: { "": { dependencies: { none: "1.0.0" } } },
  };
  floe.write({
    "tools/cli/floe": 'echo "with $(ls "${0%/tools/cli/floe}/node_modules/.bin")"\n',
    "package.json": '{ "name": "a", "version": "1.0.0", "dependencies": { "none": "1.0.0" } }',
    "package-lock.json": JSON.stringify(lock),
  });
  floe.commit();
  const failed = await travel(temporaryDirectory(), ["--offline", "--tool", `git+file://${floe.folder}`], "x");
  assert.match(failed.stderr, "[time-machine.packages-failed]");
});

test("floe time-machine wants one time, and one that there is", async () => {
  const folder = flakeWith("{}");
  for (const flags of [[], ["--date", "2026-11-01", "--rev", "HEAD"]])
    assert.match((await travel(folder, flags, "eval", ".")).stderr, "[time-machine.no-time]");
  for (const date of ["yesterday", "2026-02-30", "2026-11-01 12:00", "2026-13-01"])
    assert.match((await travel(folder, ["--date", date], "eval", ".")).stderr, "[time-machine.bad-date]", date);
  const nowhere = await travel(folder, ["--rev", "HEAD"], "eval", ".");
  assert.match(nowhere.stderr, "[time-machine.no-repository]");
});

test.run();

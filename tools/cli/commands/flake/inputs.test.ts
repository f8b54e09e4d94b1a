import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { flakeWith, type InputsWorld, openInputsWorld } from "../../testing-inputs.ts";

const test = suite("inputs of flakes, from the command line");
let world: InputsWorld;

test.before(async () => {
  world = await openInputsWorld();
});
test.after(() => world.close());

test("floe flake update prints old and new with dates, and the range of commits", async () => {
  const { repository: source, url } = world.repository("moving");
  const first = source.write({ a: "1" }).commit();
  const folder = flakeWith(`{ a: "${url}" }`);
  await world.ok(folder, "flake", "lock");
  const second = source.write({ a: "2" }).commit();
  assert.is(await world.ok(folder, "flake", "lock"), "", "locking moves nothing");
  assert.is(
    await world.ok(folder, "flake", "update"),
    `updated a:\n  ${url} main ${first} (2023-11-15)\n→ ${url} main ${second} (2023-11-16)\n  commits ${first.slice(0, 10)}..${second.slice(0, 10)}\n`,
  );
});

test("--no-write-lock-file, --output-lock-file and --reference-lock-file say which lock counts and is written", async () => {
  const { repository: source, url } = world.repository("files");
  const first = source.write({ a: "1" }).commit();
  const folder = flakeWith(`{ a: "${url}" }`, "{ rev: inputs.a.sourceInfo.rev }");
  const rev = (...words: string[]): Promise<string> => world.ok(folder, "eval", "--raw", ".#rev", ...words);
  assert.is(await rev("--no-write-lock-file"), first);
  assert.not.ok(existsSync(`${folder}/lock.json`));
  const stale = await world.run(folder, "eval", ".#rev", "--no-update-lock-file");
  assert.match(stale.stderr, /^flake\.config\.ts:3:\d+: error: Cannot use the lock .*\[flake\.lock-stale\]/m);
  await world.ok(folder, "flake", "lock", "--output-lock-file", "other.json");
  assert.not.ok(existsSync(`${folder}/lock.json`));
  const second = source.write({ a: "2" }).commit();
  assert.is(await rev(), second);
  assert.is(await rev("--reference-lock-file", "other.json"), first);
  assert.is(await rev(), second);
});

test("floe flake update --commit-lock-file commits what moved", async () => {
  const { repository: source, url } = world.repository("committed");
  source.write({ a: "1" }).commit();
  const folder = flakeWith(`{ a: "${url}" }`);
  const git = (...words: string[]): string =>
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.org", ...words], {
      cwd: folder,
      encoding: "utf8",
    });
  await world.ok(folder, "flake", "lock");
  git("init", "--quiet", "--initial-branch", "main");
  git("config", "user.name", "a");
  git("config", "user.email", "a@example.org");
  git("add", "--all");
  git("commit", "--quiet", "--message", "first");
  await world.ok(folder, "flake", "update", "--commit-lock-file");
  assert.is(git("log", "--format=%s").trim(), "first", "nothing moved, so there is nothing to commit");
  const second = source.write({ a: "2" }).commit();
  await world.ok(folder, "flake", "update", "--commit-lock-file");
  assert.is(git("show", "--name-only", "--format=%s", "HEAD").trim(), "lock.json: Update\n\nlock.json");
  assert.match(git("show", "--format=%b", "--no-patch", "HEAD"), second);
});

test("a locked source comes from a cache of the settings when its server is gone", async () => {
  const { repository: source, url } = world.repository("cached");
  source.write({ text: "kept" }).commit();
  const folder = flakeWith(`{ a: { url: "${url}", flake: false } }`, "{ hash: inputs.a.sourceInfo.narHash }");
  const hash = await world.ok(folder, "eval", "--raw", ".#hash");
  const cache = `file://${world.root}/binary-cache`;
  await world.ok(folder, "flake", "archive", "--to", cache);

  // As on another machine, on a day when the server does not answer: no store, no memory of fetches, no repository.
  rmSync(source.folder, { recursive: true });
  rmSync(`${world.root}/cache`, { recursive: true });
  const store = `${world.root}/elsewhere`;
  const without = await world.floe(folder, "eval", "--raw", ".#hash", "--store", store);
  assert.is(without.code, 1, without.stdout);
  mkdirSync(`${world.root}/config/floe`, { recursive: true });
  writeFileSync(`${world.root}/config/floe/settings.json`, JSON.stringify({ substituters: [cache] }));
  const { code, stdout, stderr } = await world.floe(folder, "eval", "--raw", ".#hash", "--store", store);
  assert.is(code, 0, stderr);
  assert.is(stdout, hash);
  rmSync(`${world.root}/config/floe/settings.json`);
});

test.run();

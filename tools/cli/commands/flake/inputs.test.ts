import { existsSync } from "node:fs";
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

test.run();

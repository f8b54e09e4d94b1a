import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Profile } from "../../../../core/host/profile/index.ts";
import { formatSources } from "../../../../core/system/switch/index.ts";
import { temporaryDirectory } from "../../testing.ts";
import { amongSystems } from "./build.ts";
import { describeGeneration } from "./generations.ts";

const TARGET = join(import.meta.dirname, "../../target.ts");

function target(...words: string[]) {
  return spawnSync(process.execPath, ["--disable-warning=ExperimentalWarning", TARGET, ...words], { encoding: "utf8" });
}

test("amongSystems() lets a bare name mean a system", () => {
  assert.is(amongSystems(".#web"), ".#systems.web");
  assert.is(amongSystems("."), ".#systems.default");
  assert.is(amongSystems(".#systems.web"), ".#systems.web");
  assert.is(amongSystems("git+https://x.example/a?dir=b#web"), "git+https://x.example/a?dir=b#systems.web");
  assert.is(amongSystems("/nix/store/abc-x.drv"), "/nix/store/abc-x.drv");
});

test("the program of a machine has the commands that work on it, and no others", () => {
  const help = target("system", "--help");
  assert.is(help.status, 0);
  for (const verb of [
    "switch",
    "boot",
    "test",
    "dry-activate",
    "rollback",
    "list-generations",
    "describe",
    "delete-generations",
  ]) {
    assert.match(help.stdout, new RegExp(`^  ${verb} `, "m"));
  }
  assert.not.match(help.stdout, /^ {2}build /m);
  assert.match(target("system", "switch", "--help").stdout, /Exit codes: 0 done; .*100 a reboot is needed/s);
});

test("a misspelt verb is answered with the right one", () => {
  const done = target("system", "swich");
  assert.is(done.status, 64);
  assert.match(done.stderr, /Did you mean "switch"/);
});

test("describeGeneration() tells of what commits a generation was made", () => {
  const folder = temporaryDirectory();
  const profile = new Profile(folder, "system");
  const source = { type: "git", url: "https://example.org/a", rev: "a".repeat(40), lastModified: 1_700_000_000 };
  for (const name of ["one", "two"]) mkdirSync(join(folder, "systems", name), { recursive: true });
  writeFileSync(join(folder, "systems/one/sources.json"), formatSources({ a: source }));
  for (const name of ["one", "two"]) profile.switchTo(profile.create(join(folder, "systems", name)).number);
  assert.equal(describeGeneration(profile, 1), { number: 1, sources: { a: source } });
  const hasCode = (code: string) => (error: { code?: string }) => error.code === code;
  assert.throws(() => describeGeneration(profile), hasCode("system.no-sources"));
  assert.throws(() => describeGeneration(profile, 3), hasCode("system.no-generation"));
});

test("system.not-a-system, cli.conflicting-flags, profile.no-generation", () => {
  if (process.getuid?.() !== 0) {
    assert.match(target("system", "switch", "--store-path", "/nowhere").stderr, /\[system\.not-root\]/);
    return;
  }
  const both = target("system", "switch", "--store-path", "/x", "--generation", "1");
  assert.is(both.status, 1);
  assert.match(both.stderr, /\[cli\.conflicting-flags\]/);
});

const PROFILE = "/nix/var/nix/profiles/system";
// On a machine with generations these commands would do what they say.
const withoutSystem = existsSync(PROFILE) ? test.skip : test;
if (existsSync(PROFILE)) console.log(`skipped in part: this machine has ${PROFILE}`);

withoutSystem("system.no-generation, system.no-previous: there is nothing to switch or go back to", () => {
  const switched = target("system", "switch");
  assert.is(switched.status, 1);
  assert.match(switched.stderr, "[system.no-generation]");
  assert.match(target("system", "rollback").stderr, /found no current generation \[system\.no-previous\]/);
});

test.run();

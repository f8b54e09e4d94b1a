import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { amongSystems } from "./build.ts";

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
  for (const verb of ["switch", "boot", "test", "dry-activate", "rollback", "list-generations", "delete-generations"]) {
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

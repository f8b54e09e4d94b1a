import { existsSync, lutimesSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { expireGenerations, findProfiles, planExpiries } from "./expire.ts";
import { Profile } from "./index.ts";

const directory = mkdtempSync(join(tmpdir(), "floe-expire-"));
test.after(() => rmSync(directory, { recursive: true }));

function make(folder: string, name: string, count: number): Profile {
  mkdirSync(join(directory, folder), { recursive: true });
  const profile = new Profile(join(directory, folder), name);
  for (let number = 1; number <= count; number++) {
    profile.create(`/nix/store/${name}-${number}`);
    // One a day, the last one a day ago.
    const when = Date.now() / 1000 - (count + 1 - number) * 24 * 60 * 60;
    lutimesSync(profile.linkPath(number), when, when);
  }
  profile.switchTo(count);
  return profile;
}

test("generations of all profiles in a folder expire, but for those in use", async () => {
  const system = make(".", "system", 5);
  const user = make("per-user/u", "profile", 3);
  make("per-user/u", "gone", 2);
  rmSync(join(directory, "per-user/u/gone"));
  system.switchTo(2);
  assert.equal(
    findProfiles(directory).map(({ path }) => path),
    [user.path, system.path],
  );
  const since = new Date(Date.now() - 2.5 * 24 * 60 * 60 * 1000);
  const plan = planExpiries({
    directories: [directory, join(directory, "absent")],
    rule: { since },
    inUse: new Set(["/nix/store/system-1"]),
  });
  // Two days and a half ago the third of `system` was active, and the first of `profile`.
  assert.equal(
    plan.map(({ profile, generations }) => [profile.name, ...generations.map(({ number }) => number)]),
    [],
  );
  const newest = planExpiries({ directories: [directory], rule: { keep: 1 }, inUse: new Set(["/nix/store/system-1"]) });
  assert.equal(
    newest.map(({ profile, generations }) => [profile.name, ...generations.map(({ number }) => number)]),
    [
      ["profile", 1, 2],
      ["system", 3, 4],
    ],
  );
  // Somebody rolls back in between.
  user.switchTo(1);
  for (const each of newest) await expireGenerations(each);
  assert.equal(
    user.list().map(({ number }) => number),
    [1, 3],
  );
  assert.equal(
    system.list().map(({ number }) => number),
    [1, 2, 5],
  );
  assert.not.ok(existsSync(`${user.path}.lock`));
});

test.run();

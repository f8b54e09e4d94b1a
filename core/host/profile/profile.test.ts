import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Profile } from "./index.ts";

const directory = mkdtempSync(join(tmpdir(), "floe-profile-"));
test.after(() => rmSync(directory, { recursive: true }));
const code = (expected: string) => (error: { code: string }) => error.code === expected;

test("Profile: generations are made, listed, chosen and deleted", () => {
  const profile = new Profile(directory, "system");
  assert.equal(profile.list(), []);
  assert.equal(profile.create("/nix/store/one"), { number: 1, created: true });
  assert.equal(profile.create("/nix/store/one"), { number: 1, created: false });
  profile.switchTo(1);
  assert.equal(profile.create("/nix/store/two"), { number: 2, created: true });
  // Relative, so that the profile means the same wherever the root is mounted.
  assert.is(readlinkSync(profile.path), "system-1-link");
  profile.switchTo(2);
  assert.equal(
    profile.list().map(({ number, target, current }) => [number, target, current]),
    [
      [1, "/nix/store/one", false],
      [2, "/nix/store/two", true],
    ],
  );
  assert.ok(Math.abs(profile.get(1).date.getTime() - Date.now()) < 60_000);
  assert.throws(() => profile.delete(2), code("profile.current"));
  assert.throws(() => profile.switchTo(3), code("profile.no-generation"));
  profile.delete(1);
  assert.equal(profile.create("/nix/store/one"), { number: 3, created: true });
});

test("Profile: other files are not generations", () => {
  const profile = new Profile(directory, "user");
  writeFileSync(join(directory, "user-1-link"), "");
  assert.equal(profile.list(), []);
});

test.run();

import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { CHOOSE_SYSTEM, INITRD_SCRIPT } from "./initrd-script.ts";

const root = mkdtempSync(join(tmpdir(), "floe-stage-1-"));
test.after(() => rmSync(root, { recursive: true }));
const profiles = join(root, "nix/var/nix/profiles");
mkdirSync(profiles, { recursive: true });
for (const name of ["one", "two"]) {
  mkdirSync(join(root, "nix/store", name), { recursive: true });
  writeFileSync(join(root, "nix/store", name, "init"), "");
}
symlinkSync("/nix/store/one", join(profiles, "system-1-link"));
symlinkSync("/nix/store/two", join(profiles, "system-2-link"));
symlinkSync("/nix/store/collected", join(profiles, "system-3-link"));

/** What stage 1 decides, with the programs of this host in place of busybox. */
function choose(profile: string | undefined, generation = "", init = ""): string {
  rmSync(join(profiles, "system"), { force: true });
  if (profile !== undefined) symlinkSync(profile, join(profiles, "system"));
  const text = `b=\ngeneration=${generation}\ninit=${init}\nfail() { echo "cannot boot: $*"; exit 1; }\n${CHOOSE_SYSTEM.replaceAll("/mnt", root)}\necho "$init"`;
  return spawnSync("sh", ["-c", text], { encoding: "utf8" }).stdout.trim();
}

const OTHERS = "; floe.generation=N on the kernel's command line chooses another one of 1 2 3";

test("stage 1 follows the profile, a generation's number, or a program", () => {
  assert.is(choose("system-2-link"), "/nix/store/two/init");
  assert.is(choose("/nix/var/nix/profiles/system-1-link"), "/nix/store/one/init");
  assert.is(choose("system-2-link", "1"), "/nix/store/one/init");
  assert.is(choose("system-2-link", "", "/nix/store/one/init"), "/nix/store/one/init");
  assert.is(choose(undefined, "1", "/nix/store/two/init"), "/nix/store/one/init");
});

test("stage 1 says which generations there are when the chosen system is not there", () => {
  assert.is(choose("system-2-link", "7"), `cannot boot: generation 7 does not exist${OTHERS}`);
  const missing = (init: string) => `cannot boot: the system's "${init}" does not exist${OTHERS}`;
  assert.is(choose("system-3-link"), missing("/nix/store/collected/init"));
  assert.is(choose("system-9-link"), missing("/nix/var/nix/profiles/system-9-link/init"));
  assert.is(choose(undefined), missing("/nix/var/nix/profiles/system/init"));
});

test("stage 1 is a script that the shell can read", () => {
  const { status, stderr } = spawnSync("sh", ["-n"], { input: INITRD_SCRIPT, encoding: "utf8" });
  assert.is(status, 0, stderr);
});

test.run();

import { spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { removeTree } from "../files/index.ts";
import { openLocalStore } from "../local-store/index.ts";
import { findProgram } from "../process/index.ts";

/** What `auto` means, where `/nix` is what this test makes of it: in mounts that only its processes have. */
const UID = 61_234;
const program = join(import.meta.dirname, "testdata/open-auto.ts");
const asUser = ["setpriv", "--reuid", String(UID), "--regid", String(UID), "--clear-groups", "--"];

function why(): string | undefined {
  if (process.getuid?.() !== 0) return "only root can mount another /nix";
  for (const name of ["setpriv", "unshare", "mount"]) if (findProgram(name) === undefined) return `${name} is missing`;
  const script = `mount --bind "$0" /nix && exec ${asUser.join(" ")} "$1" -e 'require("fs").readFileSync(process.argv[1])' "$2"`;
  const words = ["--mount", "--propagation", "private", "--", "sh", "-c", script, tmpdir(), process.execPath, program];
  const tried = spawnSync("unshare", words, { encoding: "utf8" });
  return tried.status === 0
    ? undefined
    : `nothing can be mounted over /nix, or others may not read this checkout: ${tried.stderr}`;
}

const refusal = why();
if (refusal !== undefined) console.log(`skipped: ${refusal}`);
const mounted = refusal === undefined ? test : test.skip;

mounted("auto is the store at /nix/store where we may write, else its daemon, else one of the user", async () => {
  const folder = mkdtempSync(join(tmpdir(), "floe-auto-"));
  chmodSync(folder, 0o755);
  const [root, empty, home] = ["root", "empty", "home"].map((name) => join(folder, name)) as [string, string, string];
  openLocalStore({ root }).close();
  for (const directory of [join(empty, "nix"), home]) mkdirSync(directory, { recursive: true });
  chownSync(home, UID, UID);
  const open = (nix: string, by: readonly string[]): unknown => {
    const script = `mount --bind "$0/nix" /nix && exec "$@"`;
    const words = ["--mount", "--propagation", "private", "--", "sh", "-c", script, nix, ...by];
    const { status, stdout, stderr } = spawnSync(
      "unshare",
      [...words, process.execPath, "--disable-warning=ExperimentalWarning", program],
      { encoding: "utf8", env: { PATH: process.env["PATH"], HOME: home } },
    );
    assert.is(status, 0, stderr);
    return JSON.parse(stdout);
  };
  const daemon = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", join(import.meta.dirname, "../store-daemon/testdata/daemon.ts"), root],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  try {
    await new Promise((resolve) => daemon.stdout.once("data", resolve));
    assert.equal(open(root, []), { kind: "LocalStore", root: "/", isValid: true });
    assert.equal(open(root, asUser), { kind: "DaemonStore", isValid: true });
    assert.equal(open(empty, asUser), {
      kind: "LocalStore",
      root: join(home, ".local/share/floe/root"),
      isValid: true,
    });
  } finally {
    daemon.kill("SIGKILL");
    removeTree(folder);
  }
});

test.run();

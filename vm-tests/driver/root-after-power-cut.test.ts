import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createOverlay, findProgram } from "qemu-wrapper";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { rootAfterPowerCut } from "./root-after-power-cut.ts";

const folder = mkdtempSync(join(tmpdir(), "floe-root-cut-test-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;
const has = ["mke2fs", "e2fsck", "debugfs"].every((name) => findProgram(name, PATH) !== undefined);
if (!has) console.log("skipped what looks at file systems: e2fsprogs is not installed");

/** A root disk with these lines for debugfs, below an overlay. */
function makeDisk(name: string, lines: readonly string[]): string {
  const env = { ...process.env, PATH };
  const raw = join(folder, `${name}.img`);
  const commands = join(folder, `${name}.commands`);
  execFileSync("mke2fs", ["-q", "-F", "-t", "ext4", raw, "8M"], { env, stdio: "ignore" });
  writeFileSync(commands, `${["mkdir nix", "mkdir nix/var", "mkdir nix/var/nix", ...lines].join("\n")}\n`);
  execFileSync("debugfs", ["-w", "-f", commands, raw], { env, stdio: "ignore" });
  const disk = join(folder, `${name}.qcow2`);
  createOverlay({ backing: raw, file: disk });
  return disk;
}

const PROFILE = [
  "mkdir nix/var/nix/profiles",
  "symlink nix/var/nix/profiles/system system-2-link",
  "symlink nix/var/nix/profiles/system-2-link /nix/store/two",
];

(has ? test : test.skip)("rootAfterPowerCut() says which generation a disk would boot, and leaves nothing", () => {
  const disk = makeDisk("good", PROFILE);
  const work = mkdtempSync(join(folder, "work-"));
  assert.equal(rootAfterPowerCut(disk, work), { generation: 2, system: "/nix/store/two" });
  assert.equal(readdirSync(work), []);
});

(has ? test : test.skip)(
  "a disk without a default generation, or without a file system, is power-cut.broken-disk",
  () => {
    const code = (disk: string): string => {
      try {
        rootAfterPowerCut(disk, folder);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return "";
    };
    assert.is(code(makeDisk("half", PROFILE.slice(0, 2))), "power-cut.broken-disk");
    assert.is(code(makeDisk("empty", [])), "power-cut.broken-disk");
    const raw = join(folder, "noise.img");
    writeFileSync(raw, Buffer.alloc(1 << 20, "noise"));
    const noise = join(folder, "noise.qcow2");
    createOverlay({ backing: raw, file: noise });
    assert.is(code(noise), "power-cut.broken-disk");
  },
);

test.run();

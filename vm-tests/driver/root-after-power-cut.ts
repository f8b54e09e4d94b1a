import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { flattenDisk } from "qemu-wrapper";
import { CodedError } from "../../core/base/index.ts";
import { readTarget, removeTree } from "../../core/host/files/index.ts";
import type { RootAfterPowerCut } from "../machine.ts";
import { findDiskPrograms } from "./store-power-cuts.ts";

/** Where a machine's generations are. */
const PROFILES = "/nix/var/nix/profiles";

/**
 * Recover the root disk of a machine that is off, in a copy, and say which generation it would boot.
 *
 * @param disk The machine's overlay.
 * @param folder For temporary files.
 * @throws {CodedError} `power-cut.no-program` without e2fsck and debugfs; `power-cut.broken-disk` when the file system cannot be recovered
 *   or has no default generation.
 */
export function rootAfterPowerCut(disk: string, folder: string): RootAfterPowerCut {
  const env = findDiskPrograms();
  const raw = join(folder, "root-after-cut.img");
  const tree = join(folder, "root-after-cut");
  const fail = (found: string): CodedError =>
    new CodedError("power-cut.broken-disk", `Cannot recover the disk "${disk}": ${found}`);
  removeTree(tree);
  mkdirSync(tree);
  try {
    flattenDisk(disk, raw);
    const { status, stdout } = spawnSync("e2fsck", ["-fy", raw], { encoding: "utf8", env });
    // 1: its journal was replayed. More means that the file system itself was hurt.
    if (status !== 0 && status !== 1) throw fail(`e2fsck ended with ${status}: ${stdout.trim()}`);
    execFileSync("debugfs", ["-R", `rdump ${PROFILES} ${tree}`, raw], { stdio: "ignore", env });
    const link = readLink(join(tree, "profiles", "system"));
    const generation = Number(/^system-(\d+)-link$/.exec(link ?? "")?.[1]);
    const system = readLink(join(tree, "profiles", link ?? ""));
    if (!(generation > 0) || system === undefined) throw fail(`its system profile is ${JSON.stringify(link)}`);
    return { generation, system };
  } finally {
    removeTree(tree);
    rmSync(raw, { force: true });
  }
}

function readLink(path: string): string | undefined {
  try {
    return readTarget(path);
  } catch {
    return undefined;
  }
}

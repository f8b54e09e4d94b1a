import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { seededRandom } from "qemu-wrapper";
import { CodedError } from "../../core/base/index.ts";
import { removeTree } from "../../core/host/files/index.ts";
import { openLocalStore } from "../../core/host/local-store/index.ts";
import { Ledger } from "../../core/host/maintenance/testing-ledger.ts";
import { verifyStore } from "../../core/host/maintenance/verify.ts";
import type { PowerCutOptions, PowerCutReport } from "../machine.ts";
import { type LoggedWrite, readWriteLog } from "./write-log.ts";

export interface StorePowerCutsOptions extends PowerCutOptions {
  /** The disk before the first write. */
  readonly image: string;
  readonly log: string;
  /** For temporary files. */
  readonly folder: string;
  /** Folders that programs are looked for in, as in `PATH`. Default those of this process, and those of the system's programs. */
  readonly path?: string | undefined;
}

/** The folder of the store on the disk, and the file that says what was done. */
const STORE = "root";
const WORDS = "words";
/** A disk may lose each of the writes it was not told to keep, with this probability; in every second state. */
const LOSS = 0.5;

/**
 * Make the states in which a power cut would have left a recorded disk, and look at the store in each.
 *
 * Up to the last flush all writes are there. Those after it may or may not be: in every second state random ones are lost, as a disk
 * with a cache of its own loses them, in the others all of them had arrived.
 *
 * @throws {CodedError} `power-cut.no-program` without e2fsck and debugfs, `write-log.malformed`
 */
export async function storeAfterPowerCuts(options: StorePowerCutsOptions): Promise<PowerCutReport> {
  const programs = findDiskPrograms(options.path);
  const writes = readWriteLog(options.log);
  const disk = new ReplayedDisk(options, writes);
  const random = seededRandom(options.seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const unflushed = writes.flatMap(({ flush }, index) => (flush ? [] : [index]));
  const cuts = Array.from({ length: options.cuts }, (_, index) => {
    const lossy = index % 2 === 1 && unflushed.length > 0;
    return { lossy, instant: lossy ? (unflushed[below(unflushed.length)] as number) : below(writes.length) };
  }).sort((one, other) => one.instant - other.instant);
  const sum = { withLosses: 0, told: 0 };
  const faults: string[] = [];
  try {
    for (const [index, { instant, lossy }] of cuts.entries()) {
      const lost = disk.cut(instant, lossy ? () => random() < LOSS : () => false);
      if (lost > 0) sum.withLosses += 1;
      const where = `cut ${index + 1} after write ${instant + 1} of ${writes.length}, ${lost} writes lost`;
      const looked = await lookAt(disk.state, options.folder, programs);
      sum.told += looked.told;
      faults.push(...looked.faults.map((fault) => `${where}: ${fault}`));
    }
  } finally {
    disk.close();
  }
  const flushes = writes.filter(({ flush }) => flush).length;
  return { cuts: cuts.length, writes: writes.length, flushes, ...sum, faults };
}

/** A disk that is written to in the order of a log. */
class ReplayedDisk {
  /** The disk as it is at one instant. */
  readonly state: string;
  readonly #writes: readonly LoggedWrite[];
  readonly #log: number;
  /** What is safe: everything up to the last flush. */
  readonly #safe: string;
  #safeCount = 0;

  constructor({ image, log, folder }: StorePowerCutsOptions, writes: readonly LoggedWrite[]) {
    this.#writes = writes;
    this.#log = openSync(log, "r");
    this.#safe = join(folder, "cut-safe.img");
    this.state = join(folder, "cut-state.img");
    copyDisk(image, this.#safe);
  }

  /** Let the power go after a write. @returns how many writes are lost. */
  cut(instant: number, isLost: () => boolean): number {
    const done = this.#writes.slice(0, instant + 1);
    const safeCount = done.findLastIndex(({ flush }) => flush) + 1;
    this.#apply(this.#safe, this.#writes.slice(this.#safeCount, safeCount));
    this.#safeCount = safeCount;
    copyDisk(this.#safe, this.state);
    const kept = done.slice(safeCount).filter((write) => write.durable || !isLost());
    this.#apply(this.state, kept);
    return done.length - safeCount - kept.length;
  }

  close(): void {
    closeSync(this.#log);
    for (const file of [this.#safe, this.state]) rmSync(file, { force: true });
  }

  #apply(file: string, writes: readonly LoggedWrite[]): void {
    const fd = openSync(file, "r+");
    for (const { offset, sizeBytes, logOffset, discard } of writes) {
      const bytes = Buffer.alloc(sizeBytes);
      if (!discard) readSync(this.#log, bytes, 0, sizeBytes, logOffset);
      if (sizeBytes > 0) writeSync(fd, bytes, 0, sizeBytes, offset);
    }
    closeSync(fd);
  }
}

/** Recover the file system, take the store out of it and verify it. */
async function lookAt(image: string, folder: string, env: Programs): Promise<{ told: number; faults: string[] }> {
  const { status, stdout } = spawnSync("e2fsck", ["-fy", image], { encoding: "utf8", env });
  // 1: its journal was replayed. More means that the file system itself was hurt.
  if (status !== 0 && status !== 1) return { told: 0, faults: [`e2fsck ended with ${status}: ${stdout.trim()}`] };
  const tree = join(folder, "cut-tree");
  removeTree(tree);
  mkdirSync(tree);
  try {
    execFileSync("debugfs", ["-R", `rdump / ${tree}`, image], { stdio: "ignore", env });
    const ledger = new Ledger("0");
    for (const line of readWords(join(tree, WORDS))) ledger.take(line);
    using store = openLocalStore({ root: join(tree, STORE), readOnly: true });
    const { faults, gone } = await verifyStore(store, { contents: true, threads: 1 });
    const lines = [
      ...faults.map(({ path, found }) => `${path}: ${found}`),
      ...gone.map((path) => `${path}: valid, but not on disk`),
      ...ledger.check(store),
    ];
    return { told: ledger.done, faults: lines };
  } catch (error) {
    return { told: 0, faults: [(error as Error).message] };
  } finally {
    removeTree(tree);
  }
}

/** The environment in which the programs are found. */
type Programs = NodeJS.ProcessEnv;

/** They are system programs, which ordinary users do not have on their path. */
export function findDiskPrograms(path = `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin`): Programs {
  const env = { ...process.env, PATH: path };
  for (const program of ["e2fsck", "debugfs"]) {
    const { error } = spawnSync(program, ["-V"], { stdio: "ignore", env });
    if (error === undefined) continue;
    throw new CodedError("power-cut.no-program", `Cannot look at a disk after a power cut: ${program} cannot be run`, {
      hint: "e2fsck and debugfs are in the package e2fsprogs.",
      cause: error,
    });
  }
  return env;
}

function copyDisk(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_FICLONE);
  chmodSync(to, 0o600);
}

/** Whole lines up to where nothing has been written yet. */
function readWords(file: string): string[] {
  if (!existsSync(file)) return [];
  const bytes = readFileSync(file);
  const end = bytes.indexOf(0);
  return bytes
    .toString("latin1", 0, end < 0 ? bytes.length : end)
    .split("\n")
    .slice(0, -1);
}

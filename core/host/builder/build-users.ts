import { closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { lockFile } from "../local-store/index.ts";
import type { BuildUser } from "../sandbox/index.ts";

/** The first user number, and how many numbers each slot has: those of Nix, so that both never take the same. */
const FIRST_ID = 0x34000000;
export const IDS_PER_SLOT = 0x10000;
const SLOTS = 1024;

/**
 * Users, and where all who take some of them look. The numbers belong to the place: whoever takes a user kills what is left of
 * it, so the same numbers with locks elsewhere would kill the builds of others.
 */
export interface UserRange {
  readonly directory: string;
  readonly firstId: number;
  readonly slots: number;
}

/** Users are the machine's, whichever store they build for. */
const MACHINE: UserRange = { directory: "/run/floe/userpool2", firstId: FIRST_ID, slots: SLOTS };

/** A user that no other build on this machine has as long as it is held. */
export interface HeldUser extends BuildUser {
  release(): void;
}

/**
 * Users for builds, one for each that runs at once. They need no entry in `/etc/passwd`.
 *
 * A slot is held by locks on its files: one for this machine, and one in the state directory, where newer Nix has those of its
 * automatic users. Slots are kept for the next build of this run and given back at its end.
 *
 * Source: Nix, `auto-allocate-uids`.
 */
export class BuildUserPool {
  readonly #directories: readonly string[];
  readonly #free: BuildUser[] = [];
  readonly #descriptors: number[] = [];
  /** Slots are looked for one taker at a time, or two of ours would try the same. */
  #last: Promise<unknown> = Promise.resolve();
  #nextSlot = 0;

  readonly #range: UserRange;

  /** @param range Default: that of the machine. */
  constructor(stateDirectory: string, range: UserRange = MACHINE) {
    this.#directories = [range.directory, `${stateDirectory}/userpool2`];
    this.#range = range;
  }

  /** Look for a user before it is asked for. Fulfilled when there is one, or none. */
  async prepare(): Promise<void> {
    const found = this.#last.then(async () => void this.#free.push(await this.#takeSlot()));
    this.#last = found.catch(() => {});
    await this.#last;
  }

  /** @throws {CodedError} `build.no-free-user` */
  async take(): Promise<HeldUser> {
    const known = this.#free.pop();
    if (known !== undefined) return this.#hold(known);
    const found = this.#last.then(() => this.#free.pop() ?? this.#takeSlot());
    this.#last = found.catch(() => {});
    return this.#hold(await found);
  }

  close(): void {
    for (const descriptor of this.#descriptors.splice(0)) closeSync(descriptor);
    this.#free.length = 0;
  }

  #hold(user: BuildUser): HeldUser {
    return { ...user, release: () => void this.#free.push(user) };
  }

  async #takeSlot(): Promise<BuildUser> {
    for (const directory of this.#directories) mkdirSync(directory, { recursive: true });
    const { firstId, slots } = this.#range;
    for (; this.#nextSlot < slots; this.#nextSlot++) {
      const slot = this.#nextSlot;
      const held = await this.#lockSlot(slot);
      if (held === undefined) continue;
      this.#nextSlot = slot + 1;
      this.#descriptors.push(...held);
      const id = firstId + slot * IDS_PER_SLOT;
      killProcessesOf(id, IDS_PER_SLOT);
      return { uid: id, gid: id };
    }
    throw new CodedError("build.no-free-user", `Cannot build: all ${slots} users for builds are taken`, {
      hint: `Each build that runs has one of ${this.#directories[0]}; ask for fewer at once with --max-jobs.`,
      exitCode: 100,
    });
  }

  /** Descriptors that hold the slot; `undefined` when somebody else has it. */
  async #lockSlot(slot: number): Promise<number[] | undefined> {
    const held: number[] = [];
    for (const directory of this.#directories) {
      const descriptor = openSync(`${directory}/slot-${slot}`, constants.O_RDWR | constants.O_CREAT, 0o600);
      held.push(descriptor);
      if (await lockFile(descriptor, "exclusive", { wait: false })) continue;
      for (const each of held) closeSync(each);
      return undefined;
    }
    return held;
  }
}

/**
 * Whether processes may be given such users. In a container root may stand for few numbers only.
 *
 * @param map Content of `/proc/self/uid_map`: lines of first number inside, first outside, count.
 */
export function hasBuildUsers(map: string): boolean {
  const last = FIRST_ID + SLOTS * IDS_PER_SLOT;
  return map.split("\n").some((line) => {
    const [inside = Number.NaN, , count = Number.NaN] = line.trim().split(/\s+/).map(Number);
    return inside <= FIRST_ID && last <= inside + count;
  });
}

/** What a run that was killed may have left of an earlier build with these users: its sandbox dies with it, but not at once. */
function killProcessesOf(first: number, count: number): void {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const { uid } = statSync(`/proc/${name}`);
      if (uid >= first && uid < first + count) process.kill(Number(name), "SIGKILL");
    } catch {
      // It ended in the meantime.
    }
  }
}

/** The group of a device only some may open, for a builder that is to open it. */
export function groupOfDevice(device: string): number | undefined {
  const { mode, gid } = statSync(device);
  return (mode & 0o006) === 0o006 ? undefined : gid;
}

/** Whether root may give processes users on this machine. */
export function canHaveBuildUsers(): boolean {
  return process.getuid?.() === 0 && hasBuildUsers(readFileSync("/proc/self/uid_map", "utf8"));
}

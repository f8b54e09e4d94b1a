import { mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { CodedError } from "../../base/index.ts";

const PREFIX = "floe-build-";

/** Where groups of processes whose memory is counted together may be made; `found` says why there is no such place. */
export type MemoryControl =
  | { readonly kind: "available"; readonly version: 1 | 2; readonly directories: readonly string[] }
  | { readonly kind: "missing"; readonly found: string };

/** What the kernel says of the groups of a process, and of what is mounted where. */
export interface ControlGroupFiles {
  /** `/proc/self/cgroup` */
  readonly groups: string;
  /** `/proc/self/mountinfo` */
  readonly mounts: string;
}

/**
 * Find where a group with a limit of memory can be made: below our own group or beside it, whichever passes the limit on.
 *
 * Source: Linux, `admin-guide/cgroup-v2.rst`, `admin-guide/cgroup-v1/memory.rst`; proc(5), `mountinfo`.
 */
export function findMemoryControl(
  { groups, mounts }: ControlGroupFiles = {
    groups: readFileSync("/proc/self/cgroup", "utf8"),
    mounts: readFileSync("/proc/self/mountinfo", "utf8"),
  },
  passesOn: (directory: string) => boolean = passesMemoryOn,
): MemoryControl {
  const first = placeOf(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1], mounts, (type, options) => {
    return type === "cgroup" && options.split(",").includes("memory");
  });
  // A controller belongs to one of the two.
  if (first !== undefined) return { kind: "available", version: 1, directories: [first] };
  const second = placeOf(/^0::(.*)$/m.exec(groups)?.[1], mounts, (type) => type === "cgroup2");
  if (second === undefined) return { kind: "missing", found: "no control groups are mounted" };
  const beside = second.slice(0, second.lastIndexOf("/"));
  const directories = [second, beside].filter(passesOn);
  if (directories.length > 0) return { kind: "available", version: 2, directories };
  return { kind: "missing", found: `neither "${second}" nor what is above it passes on the limit of memory` };
}

function passesMemoryOn(directory: string): boolean {
  try {
    return readFileSync(`${directory}/cgroup.subtree_control`, "utf8").split(/\s/).includes("memory");
  } catch {
    return false;
  }
}

/** The place of a group in the first file system that fits. */
function placeOf(
  group: string | undefined,
  mounts: string,
  fits: (type: string, options: string) => boolean,
): string | undefined {
  if (group === undefined) return undefined;
  for (const line of mounts.split("\n")) {
    const [mount = "", rest = ""] = line.split(" - ");
    const [type = "", , options = ""] = rest.split(" ");
    const [, , , root = "", at = ""] = mount.split(" ");
    if (!fits(type, options)) continue;
    const within = root === "/" ? group : group.startsWith(root) ? group.slice(root.length) : undefined;
    if (within !== undefined) return `${at}${within}`.replace(/\/+$/, "");
  }
  return undefined;
}

let made = 0;

/** A group for the processes of one build, with a limit for the memory of all of them together. */
export class BuildGroup {
  /** A process that writes `0` here is in the group from then on, with all it starts. */
  readonly entrance: string;
  readonly #directory: string;
  readonly #version: 1 | 2;

  private constructor(directory: string, version: 1 | 2) {
    this.#directory = directory;
    this.#version = version;
    this.entrance = `${directory}/cgroup.procs`;
  }

  /** @throws {CodedError} `build.no-memory-limit` where this machine, or our rights, do not allow such groups */
  static make(limitBytes: number, control: MemoryControl = findMemoryControl()): BuildGroup {
    if (control.kind === "missing") throw noLimit(control.found);
    let reason = "";
    for (const parent of control.directories) {
      sweep(parent);
      const directory = `${parent}/${PREFIX}${process.pid}-${++made}`;
      try {
        mkdirSync(directory);
      } catch (error) {
        reason = (error as Error).message;
        continue;
      }
      try {
        limit(directory, control.version, limitBytes);
        return new BuildGroup(directory, control.version);
      } catch (error) {
        reason = (error as Error).message;
        rmdirSync(directory);
      }
    }
    throw noLimit(reason);
  }

  /** Whether a process of it was killed because there was no memory left for it. */
  get ranOut(): boolean {
    const file = this.#version === 2 ? "memory.events" : "memory.oom_control";
    const count = /^oom_kill (\d+)$/m.exec(readFileSync(`${this.#directory}/${file}`, "utf8"))?.[1];
    return Number(count ?? 0) > 0;
  }

  /** The most memory its processes used together, in bytes; `undefined` where this kernel does not say. */
  get peakBytes(): number | undefined {
    const file = this.#version === 2 ? "memory.peak" : "memory.max_usage_in_bytes";
    try {
      return Number(readFileSync(`${this.#directory}/${file}`, "utf8"));
    } catch {
      return undefined;
    }
  }

  /** Remove it; the kernel lets go of its processes a moment after their end. */
  async close(): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        return rmdirSync(this.#directory);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === "ENOENT") return;
        // What is left empty is taken away by a later run.
        if (code !== "EBUSY" || tries === 100) return;
        await pause(10);
      }
    }
  }
}

function limit(directory: string, version: 1 | 2, limitBytes: number): void {
  const set = (file: string, value: string): void => writeFileSync(`${directory}/${file}`, value, { flag: "r+" });
  if (version === 1) return set("memory.limit_in_bytes", String(limitBytes));
  set("memory.max", String(limitBytes));
  // Half a build is of no use to anybody.
  set("memory.oom.group", "1");
  try {
    set("memory.swap.max", "0");
  } catch (error) {
    // This kernel does not count what is swapped out.
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Take away empty groups of processes that were killed. One that is not empty cannot be removed. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-\\d+$`).exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      rmdirSync(`${parent}/${name}`);
    } catch {
      // Its processes are about to end, or it is somebody else's.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function noLimit(found: string): CodedError {
  return new CodedError("build.no-memory-limit", `Cannot limit the memory of a build: ${found}`, {
    hint: "Take maxMemory away; maxProcessMemory limits each process of a builder, on every machine.",
    exitCode: 100,
  });
}

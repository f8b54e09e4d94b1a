import { closeSync, constants, mkdirSync, openSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { lockFile } from "../local-store/index.ts";
import { findNativeProgram, NativeSandbox, RANGE_FIRST_ID, findSubordinateIds } from "../sandbox/index.ts";
import { canHaveBuildUsers, type HeldUser, IDS_PER_SLOT } from "./build-users.ts";
import type { Workspace } from "./workspace.ts";

/** Why builders cannot be given many users on this machine, and what would help; `undefined` when they can. */
export interface UserRangeLack {
  readonly found: string;
  readonly hint: string;
}

export function findUserRangeLack(): UserRangeLack | undefined {
  if (findNativeProgram() === undefined)
    return { found: "floe-sandbox is not there", hint: "A C compiler and `npm run setup` make it, or its package." };
  if (canHaveBuildUsers()) return undefined;
  if (process.getuid?.() === 0) {
    return { found: "root has too few users here", hint: "Give the container all users, or build outside of it." };
  }
  const support = findSubordinateIds(IDS_PER_SLOT);
  return support.kind === "missing" ? support : undefined;
}

/** A range that a build has as long as it is held. */
export interface HeldRange {
  readonly sandbox: NativeSandbox;
  readonly user: HeldUser;
  /** Make the builder the owner of its directories. */
  give(workspace: Workspace): Promise<void>;
  /** And us again, of all that is in them. */
  takeBack(workspace: Workspace): Promise<void>;
}

/**
 * The users that an ordinary user may give to builders: those of `/etc/subuid`, one range for all builds of this user, which wait
 * for each other. A `floe-sandbox` of its own maps them; what a builder leaves belongs to them until it is taken back.
 */
export class SubordinateRange {
  #sandbox: NativeSandbox | undefined;

  /** @throws {CodedError} `sandbox.native-failed` when the range cannot be mapped */
  async hold(signal: AbortSignal): Promise<HeldRange> {
    const lock = await takeLock(signal);
    try {
      const sandbox = await this.#open();
      await sandbox.ready;
      const ids = { uid: RANGE_FIRST_ID, gid: RANGE_FIRST_ID };
      const own = async ({ storeDirectory, buildDirectory }: Workspace, owner: typeof ids): Promise<void> => {
        for (const directory of [storeDirectory, buildDirectory]) await sandbox.own(directory, owner);
      };
      return {
        sandbox,
        user: { ...ids, release: () => closeSync(lock) },
        give: (workspace) => own(workspace, ids),
        takeBack: (workspace) => own(workspace, { uid: 1, gid: 1 }),
      };
    } catch (error) {
      closeSync(lock);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#sandbox?.close();
    this.#sandbox = undefined;
  }

  async #open(): Promise<NativeSandbox> {
    if (this.#sandbox?.isUsable === true) return this.#sandbox;
    await this.#sandbox?.close();
    const support = findSubordinateIds(IDS_PER_SLOT);
    return (this.#sandbox = new NativeSandbox(
      findNativeProgram() as string,
      support.kind === "available" ? support.ids : undefined,
    ));
  }
}

/** The range is the user's, whichever store a build is for. */
async function takeLock(signal: AbortSignal): Promise<number> {
  const directory = join(process.env["XDG_STATE_HOME"] || join(homedir(), ".local/state"), "floe");
  mkdirSync(directory, { recursive: true });
  const lock = openSync(join(directory, "user-range.lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    await lockFile(lock, "exclusive", { wait: true, signal });
    return lock;
  } catch (error) {
    closeSync(lock);
    throw error;
  }
}

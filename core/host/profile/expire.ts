import { accessSync, constants, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { type ExpiryRule, type Generation, planExpiry } from "../../profile/index.ts";
import { lockRealPaths } from "../local-store/index.ts";
import { Profile, readLink } from "./profile.ts";

/** Generations of one profile that are too old. */
export interface Expiry {
  readonly profile: Profile;
  readonly generations: readonly Generation[];
}

export interface PlanExpiriesOptions {
  /** Folders that hold profiles, at any depth. Those that are not there have none. */
  readonly directories: readonly string[];
  readonly rule: ExpiryRule;
  /** Targets that are running or were booted. */
  readonly inUse?: ReadonlySet<string>;
}

/** What may go of all profiles in some folders. Profiles that we may not change are left out. */
export function planExpiries({ directories, rule, inUse }: PlanExpiriesOptions): Expiry[] {
  return directories
    .flatMap((directory) => findProfiles(directory))
    .map((profile) => ({ profile, generations: planExpiry(profile.list(), rule, inUse) }))
    .filter(({ generations }) => generations.length > 0);
}

/**
 * Forget generations, each profile under its lock. One that has become the current one meanwhile stays.
 *
 * @throws {CodedError} `profile.no-generation`
 */
export async function expireGenerations({ profile, generations }: Expiry): Promise<void> {
  const locks = await lockRealPaths([profile.path]);
  try {
    const present = new Map(profile.list().map((one) => [one.number, one]));
    for (const { number } of generations) if (present.get(number)?.current === false) profile.delete(number);
  } finally {
    locks?.release();
  }
}

/** The profiles in a folder and below, by their links to a generation of theirs. */
export function findProfiles(directory: string): Profile[] {
  if (!isWritable(directory)) return [];
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const path = join(directory, name);
      if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) return findProfiles(path);
      const profile = new Profile(directory, name);
      return readLink(path) !== undefined && profile.list().some(({ current }) => current) ? [profile] : [];
    });
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

import { spawnSync } from "node:child_process";
import type { Peer } from "./peer.ts";

/** Whom a daemon serves, and whose word it takes: names of users, `@group`, or `*` for everybody. */
export interface AdmissionRules {
  /** Default everybody. */
  readonly allowedUsers: readonly string[];
  /** Default root. Whoever is named may bring anything into the store: that is as much as being root. */
  readonly trustedUsers: readonly string[];
}

export const DEFAULT_ADMISSION: AdmissionRules = { allowedUsers: ["*"], trustedUsers: ["root"] };

export type Admission = "trusted" | "untrusted" | "refused";

/** Names that belong to a user. */
export interface UserNames {
  readonly user: string | undefined;
  readonly groups: readonly string[];
}

/** Decide about one client. Who is not known is nobody in particular: only `*` names him. */
export function admit(names: UserNames | undefined, { allowedUsers, trustedUsers }: AdmissionRules): Admission {
  if (isNamed(names, trustedUsers)) return "trusted";
  return isNamed(names, allowedUsers) ? "untrusted" : "refused";
}

function isNamed(names: UserNames | undefined, rules: readonly string[]): boolean {
  return rules.some((rule) => {
    if (rule === "*") return true;
    if (names === undefined) return false;
    return rule.startsWith("@") ? names.groups.includes(rule.slice(1)) : rule === names.user;
  });
}

/** Ask this machine what a user and its groups are called. */
export function findNames({ userId, groupId }: Peer): UserNames {
  const lines = (...args: string[]): string[] => {
    const { status, stdout } = spawnSync("id", args, { encoding: "utf8" });
    return status === 0 ? stdout.trim().split(/\s+/) : [];
  };
  const [user] = lines("-nu", "--", String(userId));
  const primary = spawnSync("getent", ["group", String(groupId)], { encoding: "utf8" });
  const own = primary.status === 0 ? (primary.stdout.split(":", 1)[0] as string) : undefined;
  const groups = user === undefined ? [] : lines("-nG", "--", user);
  // A number that stands for no user must not be taken for the name of one.
  return {
    user: /^[0-9]+$/.test(user ?? "") ? undefined : user,
    groups: own === undefined ? groups : [...groups, own],
  };
}

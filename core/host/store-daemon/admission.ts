import { spawnSync } from "node:child_process";
import { CodedError, isRecord } from "../../base/index.ts";
import type { Peer } from "./peer.ts";

/** Whom a daemon serves, and whose word it takes: names of users, `@group`, or `*` for everybody. */
export interface AdmissionRules {
  /** Default everybody. */
  readonly allowedUsers: readonly string[];
  /** Default root. Whoever is named may bring anything into the store: that is as much as being root. */
  readonly trustedUsers: readonly string[];
}

export const DEFAULT_ADMISSION: AdmissionRules = { allowedUsers: ["*"], trustedUsers: ["root"] };

/**
 * Read the part of a settings file that is about a daemon's clients; other keys belong to others. What it does not say is as
 * {@link DEFAULT_ADMISSION} has it.
 *
 * Shape: `{ "allowedUsers": ["*"], "trustedUsers": ["root", "@wheel"] }`.
 *
 * @param from Name of the file, for errors.
 * @throws {CodedError} `daemon.settings-malformed`
 */
export function parseAdmissionRules(text: string, from: string): AdmissionRules {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed(from, "it is not JSON", cause);
  }
  if (!isRecord(value)) throw malformed(from, "expected an object");
  const names = (key: keyof AdmissionRules): readonly string[] => {
    const list = value[key];
    if (list === undefined) return DEFAULT_ADMISSION[key];
    if (Array.isArray(list) && list.every((each) => typeof each === "string" && each !== "")) return list as string[];
    throw malformed(from, `expected a list of names for "${key}"`);
  };
  return { allowedUsers: names("allowedUsers"), trustedUsers: names("trustedUsers") };
}

function malformed(from: string, found: string, cause?: unknown): CodedError {
  return new CodedError("daemon.settings-malformed", `Cannot read the settings in "${from}": ${found}`, { cause });
}

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

/** Ask this machine what a user is called, and its groups where `rules` speak of any. */
export function findNames({ userId, groupId }: Peer, { allowedUsers, trustedUsers }: AdmissionRules): UserNames {
  const user = userId === 0 ? "root" : nameOf("passwd", userId);
  if (![...allowedUsers, ...trustedUsers].some((rule) => rule.startsWith("@"))) return { user, groups: [] };
  const primary = nameOf("group", groupId);
  const { status, stdout } = spawnSync("id", ["-nG", "--", user ?? ""], { encoding: "utf8" });
  const groups = user === undefined || status !== 0 ? [] : stdout.trim().split(/\s+/);
  return { user, groups: primary === undefined ? groups : [...groups, primary] };
}

/** `undefined` for a number that stands for nobody. */
function nameOf(table: "passwd" | "group", id: number): string | undefined {
  const { status, stdout } = spawnSync("getent", [table, String(id)], { encoding: "utf8" });
  return status === 0 ? stdout.split(":", 1)[0] : undefined;
}

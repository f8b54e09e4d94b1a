import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unlessAbsent } from "./unit-folder.ts";

/** What is left to do for units, should we be interrupted. */
export interface PendingLists {
  readonly start: readonly string[];
  readonly restart: readonly string[];
  readonly reload: readonly string[];
}

const KINDS = ["start", "restart", "reload"] as const;

/** Read what an interrupted switch left, or (with a prefix) what activation asks for. */
export function readPending(directory: string, prefix = ""): PendingLists {
  const read = (kind: string) => {
    const text = unlessAbsent(() => readFileSync(join(directory, `${prefix}${kind}-list`), "utf8"));
    return (text ?? "").split("\n").filter((name) => name !== "");
  };
  return { start: read("start"), restart: read("restart"), reload: read("reload") };
}

/** Write down what is going to be done, before it is done. */
export function writePending(directory: string, lists: PendingLists): void {
  mkdirSync(directory, { recursive: true });
  for (const kind of KINDS) {
    const path = join(directory, `${kind}-list`);
    writeFileSync(`${path}.new`, lists[kind].map((name) => `${name}\n`).join(""));
    renameSync(`${path}.new`, path);
  }
}

/** Forget one list, once it is done, or all of them. */
export function clearPending(directory: string, prefix = "", kinds: readonly (typeof KINDS)[number][] = KINDS): void {
  for (const kind of kinds) rmSync(join(directory, `${prefix}${kind}-list`), { force: true });
}

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unlessAbsent } from "./unit-folder.ts";

/** What is left to do for units, should we be interrupted. */
export interface PendingLists {
  readonly start: readonly string[];
  readonly restart: readonly string[];
  readonly reload: readonly string[];
  /** Whether the manager has to execute itself anew. */
  readonly reexecute: boolean;
}

const LISTS = ["start", "restart", "reload"] as const;
const KINDS = [...LISTS, "reexecute"] as const;
type Kind = (typeof KINDS)[number];

function fileOf(directory: string, prefix: string, kind: Kind): string {
  return join(directory, `${prefix}${kind}${kind === "reexecute" ? "" : "-list"}`);
}

/** Read what an interrupted switch left, or (with a prefix) what activation asks for. */
export function readPending(directory: string, prefix = ""): PendingLists {
  const read = (kind: Kind) => {
    const text = unlessAbsent(() => readFileSync(fileOf(directory, prefix, kind), "utf8"));
    return (text ?? "").split("\n").filter((name) => name !== "");
  };
  const reexecute = existsSync(fileOf(directory, prefix, "reexecute"));
  return { start: read("start"), restart: read("restart"), reload: read("reload"), reexecute };
}

/** Write down what is going to be done, before it is done. */
export function writePending(directory: string, lists: PendingLists): void {
  mkdirSync(directory, { recursive: true });
  if (lists.reexecute) writeFileSync(fileOf(directory, "", "reexecute"), "");
  for (const kind of LISTS) {
    const path = fileOf(directory, "", kind);
    writeFileSync(`${path}.new`, lists[kind].map((name) => `${name}\n`).join(""));
    renameSync(`${path}.new`, path);
  }
}

/** Forget one list, once it is done, or all of them. */
export function clearPending(directory: string, prefix = "", kinds: readonly Kind[] = KINDS): void {
  for (const kind of kinds) rmSync(fileOf(directory, prefix, kind), { force: true });
}

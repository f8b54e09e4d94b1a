import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { AgentQuestion, StrippedCode } from "./protocol.ts";

/** What is kept of a flake's modules. */
export interface KeptModules {
  readonly code: StrippedCode;
  /** By {@link questionKey}, places of modules that are loaded while code of the flake runs. */
  readonly later: Readonly<Record<string, readonly string[]>>;
}

/** What evaluations of a flake keep for the next one; nothing where the file is not there, and without what is damaged. @param file Its path or an open descriptor. */
export function readModuleCache(file: string | number): KeptModules {
  try {
    const { code, later } = JSON.parse(readFileSync(file, "utf8")) as KeptModules;
    return { code: membersOf(code, isCode), later: membersOf(later, isList) };
  } catch {
    return { code: {}, later: {} };
  }
}

function membersOf<T>(
  members: Readonly<Record<string, T>> | undefined,
  isRight: (member: T) => boolean,
): Record<string, T> {
  return Object.fromEntries(Object.entries(members ?? {}).filter(([, member]) => isRight(member)));
}

function isCode(member: Partial<StrippedCode[string]> | null): boolean {
  return typeof member?.sha256 === "string" && typeof member.code === "string";
}

function isList(member: readonly string[]): boolean {
  return Array.isArray(member) && member.every((path) => typeof path === "string");
}

/** One text for what is asked of a flake. */
export function questionKey({ want, candidates, expression }: AgentQuestion): string {
  return hash("sha256", JSON.stringify([want, candidates, expression]), "hex");
}

import { reportError } from "./errors.ts";
import { isDerivation, kindOf } from "./to-json.ts";

/** Members of a list or set that are printed, and levels. */
const MAX_MEMBERS = 100;
const MAX_LEVELS = 3;

/** A value for people: sets as far as they fit a screen, packages and functions by name, a member that fails as its error. */
export function printValue(value: unknown, level = 0): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return value.name === "" ? "<function>" : `<function ${value.name}>`;
  if (typeof value !== "object" || value === null) return String(value);
  const kind = kindOf(value);
  if (kind === "system" || kind === "package") return `<${kind} ${(value as { name?: unknown }).name}>`;
  if (isDerivation(value)) return `<derivation ${value.drvPath}>`;
  const list = Array.isArray(value);
  const keys = Object.keys(value);
  if (keys.length === 0) return list ? "[]" : "{}";
  if (level >= MAX_LEVELS) return list ? "[ … ]" : "{ … }";
  const indent = "  ".repeat(level + 1);
  const lines = keys.slice(0, MAX_MEMBERS).map((key) => {
    const name = list ? "" : `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}: `;
    return `${indent}${name}${printMember(value as Record<string, unknown>, key, level + 1)},`;
  });
  if (keys.length > MAX_MEMBERS) lines.push(`${indent}… ${keys.length - MAX_MEMBERS} more`);
  return `${list ? "[" : "{"}\n${lines.join("\n")}\n${"  ".repeat(level)}${list ? "]" : "}"}`;
}

function printMember(value: Record<string, unknown>, key: string, level: number): string {
  try {
    return printValue(value[key], level);
  } catch (error) {
    return `<error: ${reportError(error).message.split("\n")[0]}>`;
  }
}

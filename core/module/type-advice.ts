import { nearNames } from "../base/index.ts";
import { isPlainObject, showValue } from "./value.ts";

/**
 * What to write in the place of a value that an option does not take, as a full sentence.
 *
 * @param expected What the type says it takes: `a whole number from 0 to 65535`, `one of "a", "b"`.
 */
export function adviceOnValue(value: unknown, expected: string): string {
  const choices = [...expected.matchAll(/"([^"]*)"/g)].map(([, choice = ""]) => choice);
  if (expected.startsWith("one of ") && choices.length > 0) {
    const [near = choices[0] as string] = typeof value === "string" ? nearNames(value, choices, 1) : [];
    return `Write one of them: "${near}".`;
  }
  if (typeof value === "string") {
    if (/number/.test(expected) && /^-?\d+(\.\d+)?$/.test(value)) return `Write it without quotes: ${value}.`;
    if (/boolean/.test(expected) && /^(true|false)$/.test(value)) return `Write it without quotes: ${value}.`;
    if (/absolute path/.test(expected) && !value.startsWith("/"))
      return `Write it from the root ("/${value.replace(/^\.?\//, "")}"), or as a file of the flake: local("./…").`;
    if (/list/.test(expected)) return `Write it as a list: [${showValue(value, 60)}].`;
  }
  if (expected.startsWith("text") && (typeof value === "number" || typeof value === "boolean"))
    return `Write it in quotes: "${String(value)}".`;
  if (/attribute set/.test(expected) && !isPlainObject(value)) return "Write it with names: { name: … }.";
  return `Write ${expected}, or take the definition out: then the default counts.`;
}

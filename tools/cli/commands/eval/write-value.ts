import { lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import type { Json } from "../../../../core/host/evaluator/index.ts";
import { temporaryName } from "../../../../core/host/files/index.ts";

/**
 * Write a value as files: a text as a file, an object as a folder of what its members are. All of it is there at the end, or nothing.
 *
 * @throws {CodedError} `eval.in-the-way` where something has the name, `eval.not-text` for what is neither, `eval.no-file-name`
 */
export function writeValue(value: Json, to: string): void {
  if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) {
    throw new CodedError("eval.in-the-way", `Cannot write to "${to}": it is there already`, {
      hint: "Name a file or folder that is to be made.",
    });
  }
  const temporary = temporaryName(to);
  try {
    write(value, temporary, []);
    renameSync(temporary, to);
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw error;
  }
}

function write(value: Json, to: string, path: readonly string[]): void {
  const text = textOrNothing(value);
  if (text !== undefined) return writeFileSync(to, text, { flag: "wx" });
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    const what = value === null ? "null" : Array.isArray(value) ? "a list" : `a ${typeof value}`;
    const where = path.length === 0 ? "" : ` at "${path.join(".")}"`;
    throw new CodedError("eval.not-text", `Cannot write the value as files: found ${what}${where}, expected texts`, {
      hint: "Make texts of it with --apply.",
    });
  }
  mkdirSync(to);
  for (const [name, member] of Object.entries(value)) {
    if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) {
      const all = [...path, name].join(".");
      throw new CodedError("eval.no-file-name", `Cannot write the value as files: "${all}" ends in no name of a file`);
    }
    write(member as Json, join(to, name), [...path, name]);
  }
}

/** The text that a value is where texts are wanted: in a string a package is its path. */
export function textOrNothing(value: Json): string | undefined {
  if (typeof value === "string") return value;
  const { outPath } = (typeof value === "object" && value !== null ? value : {}) as { outPath?: unknown };
  return typeof outPath === "string" ? outPath : undefined;
}

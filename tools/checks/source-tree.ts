import { type ExecFileSyncOptionsWithStringEncoding, execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The checkout this file lies in, absolute. */
export const ROOT = join(import.meta.dirname, "../..");

const IGNORED = new Set(["node_modules", "dist", ".git"]);

/** One thing a check found. `line` counts from 1. */
export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly message: string;
  readonly hint: string;
}

/** A rule of the house as a script: gives what breaks it, each with a hint. */
export interface Check {
  readonly name: string;
  run(): readonly Finding[] | Promise<readonly Finding[]>;
}

let files: readonly string[] | undefined;

/** Every file of the checkout that is not ignored, relative to {@link ROOT}, sorted. */
export function sourceFiles(): readonly string[] {
  files ??= (listedByGit() ?? walk(".")).filter((file) => !/^result(-|$)/.test(file)).sort();
  return files;
}

/** Those of {@link sourceFiles} whose name ends so. */
export function sourceFilesEnding(end: string): string[] {
  return sourceFiles().filter((file) => file.endsWith(end));
}

export function readSource(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}

/** Number of the line in which an offset lies, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf("\n"); at !== -1 && at < offset; at = text.indexOf("\n", at + 1)) line++;
  return line;
}

export function formatFinding({ file, line, message, hint }: Finding): string {
  return `${file}:${line}: ${message}\n  hint: ${hint}`;
}

function listedByGit(): string[] | undefined {
  try {
    const options: ExecFileSyncOptionsWithStringEncoding = {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    };
    const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], options);
    const deleted = new Set(execFileSync("git", ["ls-files", "-z", "--deleted"], options).split("\0"));
    return [...new Set(listed.split("\0"))].filter((file) => file !== "" && !deleted.has(file));
  } catch {
    return undefined; // A source archive without git.
  }
}

function walk(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = directory === "." ? entry.name : `${directory}/${entry.name}`;
    if (IGNORED.has(entry.name)) return [];
    return entry.isDirectory() ? walk(path) : [path];
  });
}

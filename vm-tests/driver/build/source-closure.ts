import { existsSync, readFileSync, realpathSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parse } from "es-module-lexer/js";
import { CodedError } from "../../../core/base/index.ts";
import { resolveOwn } from "../own-modules.ts";

/** Where files of a closure come from, and where they lie in the tree that is made of them. */
export interface SourceRoot {
  /** Absolute path. */
  readonly directory: string;
  /** Name of its folder in the tree. */
  readonly name: string;
}

export interface SourceClosureOptions {
  /** Absolute paths of the files to begin with. */
  readonly entries: readonly string[];
  /** The first that has a file is the one it belongs to. */
  readonly roots: readonly SourceRoot[];
  /** Folder of the Floe whose modules `#floe/…` names. Default: the running one. */
  readonly floe?: string | undefined;
}

/** A file of the closure. */
export interface SourceFile {
  /** Where it lies in the tree: the name of its root and the path below that. */
  readonly place: string;
  /** Where it lies on this machine. */
  readonly path: string;
  /** What it says, without types: everything else in it stands where it did. */
  readonly bytes: Buffer;
}

/**
 * Every file that loading some files may load: what they import and what they may import later, by a text that stands in them.
 *
 * @returns sorted by place.
 * @throws {CodedError} `vm-test.import` when something is imported that a build cannot have.
 */
export function readSourceClosure({ entries, roots, floe }: SourceClosureOptions): SourceFile[] {
  const files = new Map<string, SourceFile>();
  const waiting = [...entries];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    const place = placeOf(file, roots);
    if (files.has(place)) continue;
    const bytes = readSource(file);
    files.set(place, { place, path: file, bytes });
    for (const specifier of importsOf(file, bytes)) {
      const imported = resolveImport(specifier, file, floe);
      if (imported !== undefined) waiting.push(imported);
    }
  }
  return [...files.values()].sort((one, other) => (one.place < other.place ? -1 : 1));
}

/** Where a file lies in the tree. @throws {CodedError} `vm-test.import` for one outside of all roots. */
export function placeOf(file: string, roots: readonly SourceRoot[]): string {
  for (const { directory, name } of roots) {
    const path = relative(directory, file);
    if (!path.startsWith("..")) return join(name, path);
  }
  throw new CodedError("vm-test.import", `Cannot run the test as a build: "${file}" lies outside of its flake`, {
    hint: "Let the files of a story import from their own flake and #floe/… only.",
  });
}

/** A file as it lies in a source: JavaScript, under the name it has. */
export function readSource(file: string): Buffer {
  const bytes = readFileSync(file);
  return [".ts", ".mts"].includes(extname(file)) ? Buffer.from(stripTypeScriptTypes(bytes.toString("utf8"))) : bytes;
}

function importsOf(file: string, bytes: Buffer): string[] {
  if (extname(file) === ".json") return [];
  const [imports] = parse(bytes.toString("utf8"), file);
  return imports.flatMap(({ specifier }) => (typeof specifier === "string" ? [specifier] : []));
}

/** Absolute path of what is imported; `undefined` for Node's own modules. */
function resolveImport(specifier: string, importer: string, floe: string | undefined): string | undefined {
  if (specifier.startsWith("node:")) return undefined;
  const own = resolveOwn(specifier, floe === undefined ? undefined : pathToFileURL(`${floe}/`));
  if (own !== undefined) return fileURLToPath(own);
  const file = join(dirname(importer), specifier);
  if (/^\.{1,2}\//.test(specifier) && existsSync(file)) return realpathSync(file);
  throw new CodedError("vm-test.import", `Cannot run the test as a build: "${importer}" imports "${specifier}"`, {
    hint: "Let the files of a story import relative files and #floe/… only.",
  });
}

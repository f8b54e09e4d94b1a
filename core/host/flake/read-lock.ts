import { readFileSync, statSync } from "node:fs";
import * as v from "valibot";
import { CodedError, parseHash, parseJson } from "../../base/index.ts";
import { EMPTY_LOCK, LOCK_FILE_NAME, type LockFile, placeAt, type TextPlace } from "../../flake/index.ts";
import { findMember } from "./json-places.ts";

const narHash = v.pipe(
  v.string(),
  v.regex(/^sha256-[A-Za-z0-9+/]{43}=$/, "expected a hash as sha256-…"),
  v.check(isSha256, "expected a hash as sha256-…"),
  v.description("SRI sha256 of the NAR of the tree"),
);
const dir = v.optional(
  v.pipe(
    v.string(),
    v.regex(/^(?!\.{1,2}(?:\/|$))[^/]+(?:\/(?!\.{1,2}(?:\/|$))[^/]+)*$/, "expected a plain path"),
    v.description("Folder of the flake inside the tree"),
  ),
);
const lastModified = v.pipe(
  v.number(),
  v.integer(),
  v.description("Seconds since 1970 of the commit, the archive or the newest file; 0 when nobody knows"),
);
const rev = v.pipe(v.string(), v.regex(/^[0-9a-f]{40}$/, "expected 40 hexadecimal digits"), v.description("Commit"));
const ref = v.optional(v.pipe(v.string(), v.regex(/^refs\/[^\s~^:?*[\\]+$/, "expected refs/…")));
const submodules = v.optional(v.pipe(v.literal(true), v.description("Submodules are part of the tree")));
const lfs = v.optional(v.pipe(v.literal(true), v.description("Large files stand in the tree with their contents")));
const archive = v.pipe(v.string(), v.regex(/^(https?|file):\/\/[^-]/, "expected an address"));
const url = v.pipe(v.string(), v.regex(/^(https?|ssh|file):\/\/[^-]/, "expected an address"));

const locked = v.variant("type", [
  v.strictObject({ type: v.literal("git"), url, rev, ref, submodules, lfs, dir, narHash, lastModified }),
  v.strictObject({ type: v.literal("tarball"), url: archive, rev: v.optional(rev), dir, narHash, lastModified }),
  v.strictObject({ type: v.literal("file"), url: archive, narHash, lastModified }),
  v.strictObject({ type: v.literal("path"), path: v.string(), dir, narHash, lastModified }),
]);
const target = v.union([
  v.pipe(v.string(), v.description("Name of a node")),
  v.pipe(v.array(v.string()), v.description("Names of inputs that lead from the root to what it is")),
]);
const inputs = v.optional(v.pipe(v.record(v.string(), target), v.description("Inputs that this lock pins, by name")));
const overrides = v.optional(
  v.pipe(
    v.record(v.string(), target),
    v.description("What takes the place of inputs below, by their path from here; an empty list leaves one out"),
  ),
);
const flake = v.optional(v.pipe(v.literal(false), v.description("Declared to have no outputs")));
const original = v.pipe(v.string(), v.description("The reference as declared"));
const node = v.strictObject({ inputs, overrides, flake, original, locked });
const root = v.strictObject({ inputs });
/** What a `lock.json` is; `docs/lock.schema.json` is made of it. */
export const lockFile = v.strictObject({
  version: v.literal(1),
  root: v.pipe(v.string(), v.description("Name of the node of the flake itself")),
  nodes: v.record(v.string(), v.union([node, root])),
});

/**
 * Read the lock beside a flake; an empty one when there is none.
 *
 * @param directory Folder of `flake.config.ts`.
 * @throws {CodedError} `flake.lock-malformed`, `flake.lock-version`
 */
export function readLock(directory: string): LockFile {
  const path = `${directory}/${LOCK_FILE_NAME}`;
  const size = statSync(path, { throwIfNoEntry: false })?.size;
  if (size === undefined) return EMPTY_LOCK;
  if (size > MAX_LOCK_BYTES) throw malformed(path, `it has ${size} bytes, expected at most ${MAX_LOCK_BYTES}`);
  return parseLock(readFileSync(path, "utf8"), path);
}

/** Check the text of a lock file. Errors as {@link readLock}. */
export function parseLock(text: string, path: string): LockFile {
  const data = readJson(text, path);
  const { version } = (data ?? {}) as { version?: unknown };
  if (typeof version === "number" && version !== 1) {
    throw new CodedError("flake.lock-version", `Cannot read the lock "${path}": found version ${version}, expected 1`, {
      at: { file: path, ...(placeOf(text, ["version"]) ?? START) },
      hint: "It was written by a newer Floe; update Floe.",
    });
  }
  const twice = findMember(text, (_, isSecond) => isSecond);
  if (twice !== undefined) throw malformed(path, `it has "${twice.path.join(".")}" twice`, twice.key);
  const list = findList(data);
  if (list !== undefined)
    throw malformed(path, `found a list at ${list}, expected an object`, placeOf(text, list.split(".")));
  const result = v.safeParse(lockFile, data);
  if (!result.success) {
    const [issue] = result.issues;
    const keys = (issue.path ?? []).map(({ key }) => String(key));
    throw malformed(path, `${issue.message} at ${keys.join(".") || "its top"}`, placeOf(text, keys));
  }
  const output = result.output as LockFile;
  if (!Object.hasOwn(output.nodes, output.root))
    throw malformed(path, `it has no node "${output.root}"`, placeOf(text, ["root"]));
  return output;
}

const START: TextPlace = { line: 1, column: 1 };

/** Larger than the lock of a flake with a hundred thousand inputs. */
const MAX_LOCK_BYTES = 64 * 1024 * 1024;

function malformed(path: string, found: string, place: TextPlace = START): CodedError {
  return new CodedError("flake.lock-malformed", `Cannot read the lock "${path}": ${found}`, {
    at: { file: path, ...place },
    hint: "Take the file from version control again, or delete it and run: floe flake lock",
  });
}

function readJson(text: string, path: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    const mark = text.search(/^(<<<<<<<|>>>>>>>)/m);
    if (mark >= 0) throw malformed(path, "it has conflict marks of a merge", placeAt(text, mark));
    const found = (cause as Error).message.replace("Cannot read the JSON: ", "");
    const at = /at position (\d+)/.exec(found)?.[1] ?? (found.includes("Unexpected end") ? text.length : 0);
    throw malformed(path, found, placeAt(text, Number(at)));
  }
}

/** Of the value at a path; else of the nearest one around it. */
function placeOf(text: string, keys: readonly string[]): TextPlace | undefined {
  for (let length = keys.length; length > 0; length--) {
    const wanted = keys.slice(0, length).join("\0");
    const found = findMember(text, (path) => path.join("\0") === wanted);
    if (found !== undefined) return found.value;
  }
  return undefined;
}

/** A list in the place of an object; the library of schemas takes one without keys for an object without keys. */
function findList(data: unknown): string | undefined {
  const objects: [string, unknown][] = [["its top", data]];
  for (const [name, value] of objects) {
    if (Array.isArray(value)) return name;
    if (typeof value !== "object" || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      const isTarget = /(^|\.)(inputs|overrides)$/.test(name);
      if (!isTarget) objects.push([name === "its top" ? key : `${name}.${key}`, inner]);
    }
  }
  return undefined;
}

function isSha256(text: string): boolean {
  try {
    return text.startsWith("sha256-") && parseHash(text, "sha256").algorithm === "sha256";
  } catch {
    return false;
  }
}

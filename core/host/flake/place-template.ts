import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CodedError, sortedText } from "../../base/index.ts";
import { FLAKE_FILE_NAME } from "../evaluator/index.ts";
import { makeScratchIn, syncPath } from "../files/index.ts";

export interface PlaceTemplateOptions {
  /** Folder with the template's files, absolute. */
  readonly from: string;
  /** Folder they go to, absolute; made when it is not there. */
  readonly to: string;
  /** The flake the template comes from, as others refer to it. */
  readonly origin: string;
}

type Entry =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "link"; readonly path: string; readonly target: string }
  | { readonly kind: "file"; readonly path: string; readonly content: Buffer; readonly mode: number };

/**
 * Copy a template. All of it comes, or nothing: no file is written over, and what was put in place before a failure is taken away
 * again. Files that are there already with the same content stay, so a copy that was killed is completed by the next one.
 *
 * In `flake.config.ts` an input that only leads upwards (`"path:../.."`) becomes the flake the template comes from.
 *
 * @returns Paths of the new files, relative to `to`.
 * @throws {CodedError} `flake.template-not-a-folder`, `flake.template-in-the-way` with every file that is
 */
export function placeTemplate({ from, to, origin }: PlaceTemplateOptions): string[] {
  const entries = readEntries(from, origin);
  const missing = entries.filter((entry) => !isThere(join(to, entry.path), entry));
  const inTheWay = missing.filter(({ path }) => lstatSync(join(to, path), { throwIfNoEntry: false }) !== undefined);
  if (inTheWay.length > 0) throw refused(to, inTheWay);
  const made: (() => void)[] = [];
  const undo = (): void => made.reverse().forEach((each) => each());
  try {
    for (const folder of missingFolders(to)) {
      mkdirSync(folder);
      made.push(() => rmdirSync(folder));
    }
    // In the folder itself, so that files can be moved from there by name alone; other folders may be other file systems.
    using staging = makeScratchIn(to);
    for (const entry of missing) {
      place(entry, join(to, entry.path), join(staging.path, "entry"), made);
    }
  } catch (error) {
    undo();
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw refused(to, [], error);
    throw error;
  }
  return missing.filter(({ kind }) => kind !== "directory").map(({ path }) => path);
}

/** Folders first; the file that makes the folder a flake is last, so half a template is none. */
function readEntries(from: string, origin: string): Entry[] {
  if (lstatSync(from, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new CodedError("flake.template-not-a-folder", `Cannot begin with the template "${from}": it is no folder`);
  }
  const entries = sortedText(readdirSync(from, { recursive: true, encoding: "utf8" })).map((path): Entry => {
    const whole = join(from, path);
    const stat = lstatSync(whole);
    if (stat.isDirectory()) return { kind: "directory", path };
    if (stat.isSymbolicLink()) return { kind: "link", path, target: readlinkSync(whole) };
    const content = readFileSync(whole);
    const mode = (stat.mode & 0o111) === 0 ? 0o644 : 0o755;
    if (path !== FLAKE_FILE_NAME) return { kind: "file", path, content, mode };
    return { kind: "file", path, content: Buffer.from(withOrigin(content.toString("utf8"), origin)), mode };
  });
  const isLast = ({ path }: Entry): boolean => path === FLAKE_FILE_NAME;
  return [...entries.filter((entry) => !isLast(entry)), ...entries.filter(isLast)];
}

function withOrigin(text: string, origin: string): string {
  return text.replace(/(["'])path:(?:\.\.\/)*\.\.\/?\1/g, () => JSON.stringify(origin));
}

function isThere(path: string, entry: Entry): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return false;
  if (entry.kind === "directory") return stat.isDirectory();
  if (entry.kind === "link") return stat.isSymbolicLink() && readlinkSync(path) === entry.target;
  return stat.isFile() && stat.size === entry.content.length && readFileSync(path).equals(entry.content);
}

function missingFolders(to: string): string[] {
  const missing: string[] = [];
  for (let folder = to; lstatSync(folder, { throwIfNoEntry: false }) === undefined; folder = dirname(folder))
    missing.unshift(folder);
  return missing;
}

function place(entry: Entry, path: string, staged: string, made: (() => void)[]): void {
  if (entry.kind === "directory") {
    mkdirSync(path);
    made.push(() => rmdirSync(path));
    return;
  }
  if (entry.kind === "link") {
    symlinkSync(entry.target, path);
  } else {
    writeFileSync(staged, entry.content);
    chmodSync(staged, entry.mode);
    syncPath(staged);
    // A link fails where a file is, also one that came just now; a rename would write over it.
    linkSync(staged, path);
    unlinkSync(staged);
  }
  made.push(() => unlinkSync(path));
}

function refused(to: string, entries: readonly Entry[], cause?: unknown): CodedError {
  return new CodedError(
    "flake.template-in-the-way",
    `Cannot begin a flake in "${to}": ${entries.length === 0 ? "a file came in the way meanwhile" : "files of the template are there with other content"}`,
    {
      details: entries.map(({ path }) => path),
      hint: "Nothing was written. Use an empty folder (`floe flake new DIR`), or move these files away.",
      cause,
    },
  );
}

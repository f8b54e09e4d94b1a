import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
import { LARGEST_UNPACKED_BYTES } from "../fetch/limits.ts";
import type { Gitlink } from "./backend.ts";

/** An entry of a git tree object. */
export interface TreeEntry {
  /** Octal text, leading zeros allowed. */
  readonly mode: string;
  readonly path: string;
  readonly oid: string;
}

/** Reads objects of a repository. */
export interface ObjectReader {
  readTree(oid: string): Promise<readonly TreeEntry[]>;
  readBlob(oid: string): Promise<Uint8Array>;
}

/** What a tree may unfold to: a dozen objects that name each other ten times are more files than any disk holds. */
export interface TreeLimits {
  /** Files and folders. */
  readonly entries: number;
  /** Of all files. */
  readonly bytes: number;
}

export const TREE_LIMITS: TreeLimits = { entries: 4_000_000, bytes: LARGEST_UNPACKED_BYTES };

/**
 * Write the files of a tree into a new folder.
 *
 * @returns Places of submodules, which are empty folders.
 * @throws {CodedError} `git.unsafe-tree` for names that would lead out of the folder; `git.too-large`
 */
export async function writeTree(
  reader: ObjectReader,
  oid: string,
  destination: string,
  { entries, bytes }: TreeLimits = TREE_LIMITS,
): Promise<Gitlink[]> {
  const writing: Writing = { reader, gitlinks: [], left: { entries, bytes } };
  await writeFolder(writing, oid, destination, "");
  return writing.gitlinks;
}

interface Writing {
  readonly reader: ObjectReader;
  readonly gitlinks: Gitlink[];
  readonly left: { entries: number; bytes: number };
}

async function readBlob({ reader, left }: Writing, oid: string): Promise<Uint8Array> {
  const blob = await reader.readBlob(oid);
  left.bytes -= blob.length;
  if (left.bytes < 0) throw tooMuch("bytes");
  return blob;
}

export function tooMuch(what: string): CodedError {
  return new CodedError(
    "git.too-large",
    `Cannot write the files of a git tree: found more ${what} than any source has`,
    { hint: "Look at what its owner committed: a few objects can name each other until no disk holds them." },
  );
}

async function writeFolder(writing: Writing, oid: string, destination: string, prefix: string): Promise<void> {
  const { reader, gitlinks, left } = writing;
  mkdirSync(destination);
  for (const entry of await reader.readTree(oid)) {
    if (--left.entries < 0) throw tooMuch("files and folders");
    if (
      entry.path === "" ||
      entry.path === "." ||
      entry.path === ".." ||
      entry.path === ".git" ||
      /[/\0]/.test(entry.path)
    ) {
      throw new CodedError("git.unsafe-tree", `Cannot write the files of a git tree: found the name "${entry.path}"`);
    }
    const path = `${destination}/${entry.path}`;
    const inside = `${prefix}${entry.path}`;
    switch (entry.mode.replace(/^0+/, "")) {
      case "40000":
        await writeFolder(writing, entry.oid, path, `${inside}/`);
        break;
      case "120000":
        symlinkSync(Buffer.from(await readBlob(writing, entry.oid)), path);
        break;
      case "160000":
        // What it holds is another repository's.
        mkdirSync(path);
        gitlinks.push({ path: inside, rev: entry.oid });
        break;
      default:
        writeFileSync(path, await readBlob(writing, entry.oid), { flag: "wx" });
        chmodSync(path, entry.mode.endsWith("755") ? 0o755 : 0o644);
    }
  }
}

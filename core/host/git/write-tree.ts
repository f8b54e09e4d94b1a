import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";
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

/**
 * Write the files of a tree into a new folder.
 *
 * @returns Places of submodules, which are empty folders.
 * @throws {CodedError} `git.unsafe-tree` for names that would lead out of the folder.
 */
export async function writeTree(reader: ObjectReader, oid: string, destination: string): Promise<Gitlink[]> {
  const gitlinks: Gitlink[] = [];
  await writeFolder(reader, oid, destination, "", gitlinks);
  return gitlinks;
}

async function writeFolder(
  reader: ObjectReader,
  oid: string,
  destination: string,
  prefix: string,
  gitlinks: Gitlink[],
): Promise<void> {
  mkdirSync(destination);
  for (const entry of await reader.readTree(oid)) {
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
        await writeFolder(reader, entry.oid, path, `${inside}/`, gitlinks);
        break;
      case "120000":
        symlinkSync(Buffer.from(await reader.readBlob(entry.oid)), path);
        break;
      case "160000":
        // What it holds is another repository's.
        mkdirSync(path);
        gitlinks.push({ path: inside, rev: entry.oid });
        break;
      default:
        writeFileSync(path, await reader.readBlob(entry.oid), { flag: "wx" });
        chmodSync(path, entry.mode.endsWith("755") ? 0o755 : 0o644);
    }
  }
}

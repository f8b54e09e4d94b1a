import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { CodedError } from "../../base/index.ts";

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
 * @throws {CodedError} `git.unsafe-tree` for names that would lead out of the folder.
 */
export async function writeTree(reader: ObjectReader, oid: string, destination: string): Promise<void> {
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
    await writeEntry(reader, entry, `${destination}/${entry.path}`);
  }
}

async function writeEntry(reader: ObjectReader, { mode, oid }: TreeEntry, path: string): Promise<void> {
  switch (mode.replace(/^0+/, "")) {
    case "40000":
      return writeTree(reader, oid, path);
    case "120000":
      return symlinkSync(Buffer.from(await reader.readBlob(oid)), path);
    case "160000":
      // A submodule; what it holds is another repository's.
      return void mkdirSync(path);
    default: {
      writeFileSync(path, await reader.readBlob(oid), { flag: "wx" });
      chmodSync(path, mode.endsWith("755") ? 0o755 : 0o644);
    }
  }
}

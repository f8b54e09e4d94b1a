import { mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import * as v from "valibot";
import { formatSortedJson, hashBytes, toBase16 } from "../../base/index.ts";
import type { LockedGit } from "../../flake/index.ts";
import { writeFileAtomic } from "../files/write.ts";

/** A commit, whatever is in it. */
type Commit = Pick<LockedGit, "url" | "rev" | "submodules" | "lfs">;

const remembered = v.object({ narHash: v.string(), lastModified: v.pipe(v.number(), v.integer()) });

/**
 * What commits turned out to be, so that a commit whose tree is in the store is not fetched a second time. One small file for each.
 *
 * It is a memory and no more: what cannot be read or written is as if it had never been there.
 */
export class SourceMemory {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  find(commit: Commit): LockedGit[] {
    try {
      const known = v.parse(remembered, JSON.parse(readFileSync(this.#place(commit), "utf8")));
      return [{ type: "git", ...pick(commit), ...known }];
    } catch {
      return [];
    }
  }

  keep({ narHash, lastModified, ...commit }: LockedGit): void {
    try {
      mkdirSync(this.#folder, { recursive: true });
      writeFileAtomic(this.#place(commit), formatSortedJson({ narHash, lastModified }));
    } catch {
      // The next time it is fetched again.
    }
  }

  #place(commit: Commit): string {
    const key = formatSortedJson(pick(commit));
    return `${this.#folder}/${toBase16(hashBytes("sha256", Buffer.from(key)).digest)}.json`;
  }
}

function pick({ url, rev, submodules, lfs }: Commit): Commit {
  return { url, rev, ...(submodules === undefined ? {} : { submodules }), ...(lfs === undefined ? {} : { lfs }) };
}

/** Where the memory of this machine's user lies. */
export function defaultMemoryFolder(): string {
  return `${process.env["XDG_CACHE_HOME"] || `${homedir()}/.cache`}/floe/sources`;
}

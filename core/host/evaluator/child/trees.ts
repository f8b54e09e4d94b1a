import { readdirSync } from "node:fs";
import { formatHash } from "../../../base/index.ts";
import { scanTreeSync } from "../../files/scan-tree.ts";
import type { TreeHash, TreeListing, TreeRead } from "../protocol.ts";
import { fingerprintTree } from "../tree-fingerprint.ts";
import type { Located, Mounts } from "./mounts.ts";

/** Hashes source trees as the store will, and remembers which were hashed. */
export class Trees {
  readonly reads = new Map<string, TreeRead>();
  readonly #mounts: Mounts;

  constructor(mounts: Mounts) {
    this.#mounts = mounts;
  }

  /** Every entry below `path` that counts. */
  list(path: string): TreeListing {
    const top = this.#mounts.locate(path);
    const entries: [string, "file" | "directory" | "symlink"][] = [];
    const walk = (folder: string): void => {
      for (const entry of readdirSync(folder === "" ? top.hostPath : `${top.hostPath}/${folder}`, {
        withFileTypes: true,
      })) {
        const relative = folder === "" ? entry.name : `${folder}/${entry.name}`;
        if (!this.#counts(top, relative)) continue;
        entries.push([relative, entry.isDirectory() ? "directory" : entry.isSymbolicLink() ? "symlink" : "file"]);
        if (entry.isDirectory()) walk(relative);
      }
    };
    walk("");
    this.#remember(top);
    return { entries };
  }

  /** @param kept Entries to take, relative to `path`; all that count when absent. */
  hash(path: string, kept: readonly string[] | undefined): TreeHash {
    const top = this.#mounts.locate(path);
    const chosen = kept === undefined ? undefined : new Set(kept);
    const files: string[] = [];
    const filter = (relative: string): boolean =>
      this.#counts(top, relative) && (chosen?.has(relative) ?? true) && files.push(relative) > 0;
    const { narHash, narSize } = scanTreeSync(top.hostPath, { filter });
    this.#remember(top);
    const all = chosen === undefined && !this.#mounts.isRestricted(top.mount);
    return { narHash: formatHash(narHash, "sri"), narSize, ...(all ? {} : { files }) };
  }

  #remember(top: Located): void {
    this.reads.set(top.hostPath, {
      path: top.hostPath,
      fingerprint: fingerprintTree(top.hostPath, (relative) => this.#counts(top, relative)),
    });
  }

  #counts(top: Located, relative: string): boolean {
    return this.#mounts.counts({
      mount: top.mount,
      relative: top.relative === "" ? relative : `${top.relative}/${relative}`,
    });
  }
}

import { CodedError, formatHash } from "../../../base/index.ts";
import type { TreeFilter } from "../../../derivation/index.ts";
import { type ScannedTree, scanTreeSync } from "../../files/scan-tree.ts";
import type { TreeHash, TreeListing, TreeRead } from "../protocol.ts";
import { fingerprintEntries, fingerprintNames, fingerprintTree, listTree } from "../tree-fingerprint.ts";
import { ENGINE_PLACE, FLAKE_PLACE } from "../places.ts";
import { type Located, type Mounts, SourceRefused, withFolders } from "./mounts.ts";

const OWN_PLACES: readonly string[] = [FLAKE_PLACE, ENGINE_PLACE];

/** Hashes source trees as the store will, and remembers which were hashed. */
export class Trees {
  readonly reads = new Map<string, TreeRead>();
  readonly #mounts: Mounts;

  constructor(mounts: Mounts) {
    this.#mounts = mounts;
  }

  /** Every entry below `path` that counts. */
  list(path: string, from: string): TreeListing {
    const top = this.#locate(path, from);
    const entries = listTree(top.hostPath, (relative) => this.#counts(top, relative));
    this.#keep({ path: top.hostPath, of: "names", fingerprint: fingerprintNames(entries) });
    return { entries };
  }

  /**
   * @param kept Entries to take, relative to `path`; all that count when absent.
   * @param from The file that asks; empty when it is the engine.
   */
  hash(path: string, kept: readonly string[] | undefined, from: string): TreeHash {
    const top = this.#locate(path, from);
    const chosen = kept === undefined ? undefined : new Set(kept);
    const files: string[] = [];
    const filter = (relative: string): boolean =>
      this.#counts(top, relative) && (chosen?.has(relative) ?? true) && files.push(relative) > 0;
    this.#remember(top, kept);
    const { narHash, narSize } = scan(top, filter);
    const all = chosen === undefined && !this.#mounts.isRestricted(top.mount);
    return { narHash: formatHash(narHash, "sri"), narSize, ...(all ? {} : { files }) };
  }

  /** The files of a folder that are listed, and their folders; what else lies in it says nothing of them. */
  hashFiles(folder: string, list: readonly string[]): Required<TreeHash> {
    const top = this.#mounts.locate(folder);
    for (const file of list) this.#remember(this.#mounts.locate(`${folder}/${file}`, top.mount));
    const kept = withFolders(list);
    const { narHash, narSize } = scan(top, (relative) => kept.has(relative));
    return { narHash: formatHash(narHash, "sri"), narSize, files: [...kept] };
  }

  /** Inputs lie in the store, where all may read them; the flake and the engine are read by their own files alone. */
  #locate(path: string, from: string): Located {
    const top = this.#mounts.locate(path);
    const asking = from === "" ? top.mount : this.#mounts.find(from);
    if (asking?.path === top.mount.path || !OWN_PLACES.includes(top.mount.path)) return top;
    throw new SourceRefused(
      "source.outside",
      `Cannot read "${path}": it belongs to ${top.mount.name}, and another source asks for it`,
      "Give it to the other flake as a value: local() in a file of its own source, or inputs.<name>.",
    );
  }

  /** Before it is read for the first time: what changes from then on must not look like what was read. */
  #remember(top: Located, of?: readonly string[]): void {
    const path = top.hostPath;
    if (this.reads.has(keyOf({ path, of }))) return;
    const { digest, young } =
      of === undefined
        ? fingerprintTree(path, (relative) => this.#counts(top, relative))
        : fingerprintEntries(path, of);
    this.#keep({ path, ...(of === undefined ? {} : { of }), fingerprint: young ? "" : digest });
  }

  /** The first look counts: what was there later may be something else. */
  #keep(read: TreeRead): void {
    const key = keyOf(read);
    if (!this.reads.has(key)) this.reads.set(key, read);
  }

  #counts(top: Located, relative: string): boolean {
    return this.#mounts.counts({
      mount: top.mount,
      relative: top.relative === "" ? relative : `${top.relative}/${relative}`,
    });
  }
}

function keyOf({ path, of }: Pick<TreeRead, "path" | "of">): string {
  return JSON.stringify([path, of]);
}

/** What cannot be archived is told with its place inside. */
function scan(top: Located, filter: TreeFilter): ScannedTree {
  try {
    return scanTreeSync(top.hostPath, { filter });
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new SourceRefused(error.code, error.message.replaceAll(top.mount.hostPath, top.mount.path), error.hint);
  }
}

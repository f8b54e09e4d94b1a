import { NarParser } from "./nar-parser.ts";

/** A node of a listing, as in `.ls` files of binary caches. `narOffset`: where the contents begin in the archive. */
export type NarListing =
  | { readonly type: "regular"; readonly size: number; readonly executable?: true; readonly narOffset: number }
  | { readonly type: "symlink"; readonly target: string }
  | { readonly type: "directory"; readonly entries: Readonly<Record<string, NarListing>> };

/** Collects a listing from pieces of an archive, without its contents. */
export class NarLister {
  readonly #parser: NarParser;
  readonly #open: [name: string, entries: Map<string, NarListing>][] = [];
  #root: NarListing | undefined;

  constructor() {
    this.#parser = new NarParser({
      directory: (path) => void this.#open.push([path, new Map()]),
      endDirectory: (path) => {
        const [, entries] = this.#open.pop() as [string, Map<string, NarListing>];
        this.#place(path, { type: "directory", entries: Object.fromEntries(entries) });
      },
      file: (path, { executable, size, offset }) =>
        this.#place(path, {
          type: "regular",
          size,
          ...(executable ? { executable: true as const } : {}),
          narOffset: offset,
        }),
      data: () => {},
      endFile: () => {},
      symlink: (path, target) => this.#place(path, { type: "symlink", target }),
    });
  }

  push(chunk: Uint8Array): void {
    this.#parser.push(chunk);
  }

  /** @throws {CodedError} `nar.malformed` when the archive is not complete. */
  finish(): NarListing {
    this.#parser.finish();
    return this.#root as NarListing;
  }

  #place(path: string, node: NarListing): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = node;
    else parent[1].set(path.slice(path.lastIndexOf("/") + 1), node);
  }
}

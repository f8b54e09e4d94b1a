import { closeSync, constants, lstatSync, openSync, readSync } from "node:fs";
import { sortedText, utf8 } from "../../base/index.ts";
import { hostPath, readNames, readTarget } from "./host-path.ts";

const BUFFER_BYTES = 1024 * 1024;
/** So much of what stands around a mention is given. */
const CONTEXT_BYTES = 32;

/** A place in a tree that mentions something. */
export interface Mention {
  /** Relative to the tree; empty for the tree itself when it is a file or link. */
  readonly file: string;
  /** What stands there and around it; bytes that cannot be shown are dots. */
  readonly fragment: string;
}

/**
 * Where a tree mentions digests: in contents of files, targets of links, and names. Files in byte order of their paths.
 *
 * @param options.first Stop at the first place for each digest. Default false.
 */
export function mentionsIn(
  tree: string,
  digests: Iterable<string>,
  { first = false }: { readonly first?: boolean } = {},
): Map<string, Mention[]> {
  const search = new Search(digests, first);
  search.visit(tree, "");
  return search.found;
}

class Search {
  readonly found = new Map<string, Mention[]>();
  readonly #wanted: Map<string, Buffer>;
  readonly #first: boolean;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);

  constructor(digests: Iterable<string>, first: boolean) {
    this.#wanted = new Map([...digests].map((digest) => [digest, Buffer.from(digest)]));
    this.#first = first;
  }

  visit(place: string, file: string): void {
    if (this.#wanted.size === 0) return;
    const stat = lstatSync(hostPath(place));
    if (stat.isSymbolicLink()) return this.#look(Buffer.from(utf8(readTarget(place))), file);
    if (stat.isFile()) return this.#read(place, file);
    if (!stat.isDirectory()) return;
    for (const name of sortedText(readNames(place))) {
      const inside = file === "" ? name : `${file}/${name}`;
      this.#look(Buffer.from(utf8(name)), inside);
      this.visit(`${place}/${name}`, inside);
    }
  }

  /** Pieces overlap by what a mention and its surroundings may need. */
  #read(place: string, file: string): void {
    const fd = openSync(hostPath(place), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const overlap = 2 * CONTEXT_BYTES + 32;
      let kept = 0;
      for (;;) {
        const read = readSync(fd, this.#buffer, kept, BUFFER_BYTES - kept, null);
        if (read === 0) return;
        const end = kept + read;
        this.#look(this.#buffer.subarray(0, end), file);
        kept = Math.min(overlap, end);
        this.#buffer.copyWithin(0, end - kept, end);
      }
    } finally {
      closeSync(fd);
    }
  }

  /** One mention for each file and digest. */
  #look(bytes: Buffer, file: string): void {
    for (const [digest, wanted] of this.#wanted) {
      const list = this.found.get(digest) ?? [];
      if (list.at(-1)?.file === file) continue;
      const at = bytes.indexOf(wanted);
      if (at < 0) continue;
      const around = bytes.subarray(Math.max(0, at - CONTEXT_BYTES), at + wanted.length + CONTEXT_BYTES);
      this.found.set(digest, [...list, { file, fragment: printable(around) }]);
      if (this.#first) this.#wanted.delete(digest);
    }
  }
}

function printable(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
}

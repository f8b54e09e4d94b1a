import { CodedError } from "../../../../core/base/index.ts";
import type { NarListing } from "../../../../core/store/index.ts";

/**
 * The node at a path inside an archive; the empty path and `/` are its root.
 *
 * @throws {CodedError} `nar.no-such-path`
 */
export function findNode(root: NarListing, path: string): NarListing {
  let node: NarListing = root;
  for (const part of path.split("/").filter((name) => name !== "" && name !== ".")) {
    const entries: Readonly<Record<string, NarListing>> = node.type === "directory" ? node.entries : {};
    const next = Object.hasOwn(entries, part) ? entries[part] : undefined;
    if (next === undefined) {
      throw new CodedError("nar.no-such-path", `Cannot find "${path}" in the archive: there is no "${part}"`);
    }
    node = next;
  }
  return node;
}

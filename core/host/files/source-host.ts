import { execFileSync } from "node:child_process";
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, join, relative as relativePath } from "node:path";
import { fromUtf8 } from "../../base/index.ts";
import type { SourceHost, TreeFilter } from "../../derivation/index.ts";
import { scanTreeSync } from "./scan-tree.ts";

/**
 * A source host for plain Node (tests, tools). In a git checkout only tracked and untracked-not-ignored files count, as far
 * as `git` is there to be asked; elsewhere everything does.
 */
export function makeSourceHost(): SourceHost {
  return {
    hashTree(path, filter) {
      const counted = gitFilter(path);
      const kept: string[] = [];
      const both: TreeFilter = (relative, kind) => {
        if (counted !== undefined && !counted(relative, kind)) return false;
        if (filter !== undefined && !filter(relative, kind)) return false;
        kept.push(relative);
        return true;
      };
      const { narHash, narSize } = scanTreeSync(path, { filter: both });
      return { narHash, narSize, ...(counted === undefined && filter === undefined ? {} : { files: kept }) };
    },
  };
}

/** Keeps the listed entries and nothing else; the other half of what `hashTree` gives as `files`. */
export function filterFromFiles(files: Iterable<string>): TreeFilter {
  const kept = new Set(files);
  return (relative) => kept.has(relative);
}

/** What git counts below a directory; `undefined` outside of checkouts and for single files. */
function gitFilter(path: string): TreeFilter | undefined {
  if (!existsSync(path) || !statSync(path).isDirectory()) return undefined;
  const root = realpathSync(path);
  if (checkoutOf(root) === undefined) return undefined;
  let listing: Buffer;
  try {
    listing = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
      cwd: root,
      stdio: ["ignore", "pipe", "ignore"],
      maxBuffer: 1 << 30,
    });
  } catch {
    // Without git, or in a checkout it refuses to read, everything counts.
    return undefined;
  }
  const kept = new Set<string>();
  for (const file of fromUtf8(listing).split("\0")) {
    for (let entry = file; entry !== "" && entry !== "." && !kept.has(entry); entry = dirname(entry)) kept.add(entry);
  }
  return (relative) => kept.has(relative);
}

function checkoutOf(path: string): string | undefined {
  for (let directory = path; ; directory = dirname(directory)) {
    if (existsSync(join(directory, ".git"))) return directory;
    if (relativePath(directory, "/") === "") return undefined;
  }
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { removeTree, syncFilesystem } from "../../core/host/files/index.ts";
import type { Contender } from "./measure.ts";

/**
 * A contender that starts with an empty store of its own in each round, made before the clock runs: a database that has to be
 * created first is not what is measured, nor is writing what earlier rounds left unwritten.
 *
 * Stores of many files stay until the bench ends: ext4 without a journal looks at each inode that was deleted in the last minutes
 * before it takes another, which made a round ten times slower than the one before it.
 */
export function withFreshStore(
  name: string,
  directory: string,
  make: (root: string) => Promise<unknown>,
  run: (root: string) => Promise<unknown>,
  { keep = true }: { readonly keep?: boolean } = {},
): Contender {
  const place = join(directory, `store-of-${name.replaceAll(/[^a-z]+/g, "-")}`);
  let root = place;
  return {
    name,
    async prepare(round) {
      if (keep) root = `${place}-${round}`;
      removeTree(root);
      mkdirSync(root);
      await make(root);
      syncFilesystem(directory);
    },
    run: async () => void (await run(root)),
  };
}

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../../core/host/files/index.ts";
import type { Contender } from "./measure.ts";

/**
 * A contender that starts with an empty store of its own in each round, made before the clock runs: a database that has to be
 * created first is not what is measured.
 */
export function withFreshStore(
  name: string,
  directory: string,
  make: (root: string) => Promise<unknown>,
  run: (root: string) => Promise<unknown>,
): Contender {
  const root = join(directory, `store-of-${name.replaceAll(/[^a-z]+/g, "-")}`);
  return {
    name,
    async prepare() {
      removeTree(root);
      mkdirSync(root);
      await make(root);
    },
    run: async () => void (await run(root)),
  };
}

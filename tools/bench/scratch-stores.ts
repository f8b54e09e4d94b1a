import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { removeTree } from "../../core/host/files/index.ts";
import type { Contender } from "./measure.ts";

/**
 * A contender that starts with an empty store of its own in each round, made before the clock runs: a database that has to be
 * created first is not what is measured. The stores go at the end: a file system without a journal passes over inodes that
 * were freed in the last minutes, one by one, so that whoever makes files after a removal pays for it.
 */
export function withFreshStore(
  name: string,
  directory: string,
  make: (root: string) => Promise<unknown>,
  run: (root: string) => Promise<unknown>,
): Contender {
  const root = (round: number): string => join(directory, `store-${round}-of-${name.replaceAll(/[^a-z]+/g, "-")}`);
  const made: string[] = [];
  return {
    name,
    async prepare(round) {
      made.push(root(round));
      mkdirSync(root(round));
      await make(root(round));
    },
    run: async (round) => void (await run(root(round))),
    finish: () => made.splice(0).forEach(removeTree),
  };
}

import { join } from "node:path";
import type { BuildBench } from "../../core/host/builder/testdata/build-bench.ts";
import { removeTree } from "../../core/host/files/index.ts";
import { makeStore } from "./gc.ts";
import { compare, runQuietly } from "./measure.ts";
import { FLOE } from "./no-op.ts";

/** Looking at a store of 40,000 objects: whether all are there, and with their contents. */
export async function benchVerify({ directory }: BuildBench): Promise<void> {
  const { root } = makeStore(join(directory, "verify"));
  const quietly = async (program: string, words: readonly string[]): Promise<void> => {
    await runQuietly(program, [...words, "--store", root], directory);
  };
  await compare({
    title: "verify 40,000 store objects, without their contents",
    rounds: 5,
    ours: { name: "floe store verify --no-contents", run: () => quietly(FLOE, ["store", "verify", "--no-contents"]) },
    theirs: { name: "nix-store --verify", run: () => quietly("nix-store", ["--verify"]) },
  });
  await compare({
    title: "verify 40,000 store objects and their contents",
    rounds: 5,
    ours: { name: "floe store verify", run: () => quietly(FLOE, ["store", "verify"]) },
    theirs: {
      name: "nix-store --verify --check-contents",
      run: () => quietly("nix-store", ["--verify", "--check-contents"]),
    },
  });
  removeTree(root);
}

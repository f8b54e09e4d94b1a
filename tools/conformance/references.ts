import { ReferenceScanner, type StorePath } from "../../core/store/index.ts";
import type { Suite } from "./suite.ts";
import { narOfTree, readVectorTree, type VectorTree } from "./tree.ts";

interface Vectors {
  readonly cases: readonly {
    readonly name: string;
    readonly candidates: readonly string[];
    readonly tree: VectorTree;
    readonly references: readonly string[];
  }[];
}

/** Sizes of the pieces archives are scanned in: digests must be found across their seams. */
const PIECE_SIZES = [Number.MAX_SAFE_INTEGER, 4096, 37, 1];

export async function runReferences(vectors: Vectors, suite: Suite): Promise<void> {
  for (const v of vectors.cases) {
    await suite.case(v.name, (compare) => {
      const nar = narOfTree(readVectorTree(v.tree));
      for (const size of PIECE_SIZES) {
        if (nar.length / size > 100_000) continue;
        const scanner = new ReferenceScanner(v.candidates as StorePath[]);
        for (let at = 0; at < nar.length; at += size) scanner.update(nar.subarray(at, at + size));
        compare(`in pieces of ${size}`, scanner.found(), v.references);
      }
    });
  }
}

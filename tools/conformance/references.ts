import { ReferenceScanner, type StorePath } from "../../core/store/index.ts";
import type { Suite } from "./suite.ts";
import { hashOfNar, narOfTree, readVectorTree, type VectorTree } from "./tree.ts";

interface Vectors {
  readonly cases: readonly {
    readonly name: string;
    readonly candidates: readonly string[];
    readonly tree: VectorTree;
    readonly path?: string;
    readonly references: readonly string[];
    readonly selfReference: boolean;
    readonly narSha256?: string;
    readonly narSize?: number;
  }[];
}

/** Sizes of the pieces archives are scanned in: digests must be found across their seams. */
const PIECE_SIZES = [Number.MAX_SAFE_INTEGER, 4096, 37, 1];

export async function runReferences(vectors: Vectors, suite: Suite): Promise<void> {
  for (const v of vectors.cases) {
    await suite.case(v.name, (compare) => {
      const nar = narOfTree(readVectorTree(v.tree));
      if (v.narSha256 !== undefined) compare("NAR hash", hashOfNar(nar), v.narSha256);
      if (v.narSize !== undefined) compare("NAR size", nar.length, v.narSize);
      for (const size of PIECE_SIZES) {
        if (nar.length / size > 100_000) continue;
        const scanner = new ReferenceScanner(v.candidates as StorePath[]);
        for (let at = 0; at < nar.length; at += size) scanner.update(nar.subarray(at, at + size));
        const found = scanner.found();
        compare(`in pieces of ${size}`, found, v.references);
        if (v.path !== undefined) compare("refers to itself", found.includes(v.path as StorePath), v.selfReference);
      }
    });
  }
}

import { formatHash, fromBase64, type HashAlgorithm, hashBytes, toBase16, toBase64 } from "../../core/base/index.ts";
import { NarLister, parseNar } from "../../core/store/index.ts";
import { attempt, type Suite } from "./suite.ts";
import { narOfTree, readVectorTree, type VectorTree } from "./tree.ts";

interface Vectors {
  readonly cases: readonly {
    readonly name: string;
    readonly tree: VectorTree;
    readonly narSize: number;
    readonly narSha256: { readonly base16: string; readonly base32: string; readonly sri: string };
    readonly narOtherHashes?: Readonly<Partial<Record<HashAlgorithm, string>>>;
    readonly flatSha256?: string;
    readonly nar?: string;
  }[];
  readonly malformed: readonly { readonly name: string; readonly nar: string; readonly strict: "accept" | "reject" }[];
}

export async function runNar(vectors: Vectors, suite: Suite): Promise<void> {
  for (const v of vectors.cases) {
    await suite.case(v.name, (compare) => {
      const tree = readVectorTree(v.tree);
      const nar = narOfTree(tree);
      compare("size", nar.length, v.narSize);
      const hash = hashBytes("sha256", nar);
      const forms = {
        base16: formatHash(hash, "base16"),
        base32: formatHash(hash, "base32"),
        sri: formatHash(hash, "sri"),
      };
      compare("sha256", forms, v.narSha256);
      for (const [algorithm, expected] of Object.entries(v.narOtherHashes ?? {})) {
        compare(algorithm, toBase16(hashBytes(algorithm as HashAlgorithm, nar).digest), expected);
      }
      if (v.flatSha256 !== undefined && tree.type === "regular")
        compare("flat", toBase16(hashBytes("sha256", tree.contents).digest), v.flatSha256);
      if (v.nar !== undefined) compare("archive", toBase64(nar), v.nar);
      compare("archive of what was read", toBase64(narOfTree(parseNar(nar))) === toBase64(nar), true);
    });
  }
  for (const v of vectors.malformed) {
    await suite.case(`malformed ${v.name}`, (compare) => {
      const nar = fromBase64(v.nar);
      compare("accepted", attempt(() => parseNar(nar)) !== undefined, v.strict === "accept");
      compare("accepted byte by byte", attempt(() => parseByteByByte(nar)) !== undefined, v.strict === "accept");
    });
  }
}

function parseByteByByte(nar: Uint8Array): true {
  const lister = new NarLister();
  for (let at = 0; at < nar.length; at++) lister.push(nar.subarray(at, at + 1));
  lister.finish();
  return true;
}

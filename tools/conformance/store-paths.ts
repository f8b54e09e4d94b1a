import { formatHash, fromBase16, fromBase64, type HashAlgorithm, hashBytes, toBase16 } from "../../core/base/index.ts";
import {
  checkName,
  type FileIngestionMethod,
  formatContentAddress,
  isVerifiablyContentAddressed,
  makeFixedPath,
  makeSourcePath,
  makeTextPath,
  SelfHasher,
  type StorePath,
  storePathDigest,
  tryParseStorePath,
} from "../../core/store/index.ts";
import { attempt, type Suite } from "./suite.ts";
import { readVectorTree, narOfTree, type VectorTree } from "./tree.ts";

interface PathCase {
  readonly name: string;
  readonly kind: "text" | "source" | "fixed" | "source-with-references";
  readonly pathName: string;
  readonly path: string;
  readonly storeDir?: string;
  readonly contents?: string;
  readonly references?: readonly string[];
  readonly selfReference?: boolean;
  readonly tree?: VectorTree;
  readonly narSha256?: string;
  readonly hashModuloSelf?: string;
  readonly selfOffsets?: readonly number[];
  readonly method?: FileIngestionMethod;
  readonly algo?: HashAlgorithm;
  readonly hash?: string;
  readonly ca?: string;
}

interface Vectors {
  readonly cases: readonly PathCase[];
  readonly names: readonly { readonly input: string; readonly nix280: boolean; readonly current: boolean }[];
}

export async function runStorePaths(vectors: Vectors, suite: Suite): Promise<void> {
  for (const v of vectors.cases) {
    await suite.case(v.name, (compare) => {
      const references = (v.references ?? []) as StorePath[];
      if (v.kind === "text") {
        compare("path", makeTextPath(v.pathName, fromBase64(v.contents as string), references, v.storeDir), v.path);
        return;
      }
      if (v.kind === "fixed") {
        const hash = { algorithm: v.algo as HashAlgorithm, digest: fromBase16(v.hash as string) };
        const method = v.method as FileIngestionMethod;
        compare(
          "path",
          makeFixedPath({
            name: v.pathName,
            method,
            hash,
            ...(v.storeDir === undefined ? {} : { storeDirectory: v.storeDir }),
          }),
          v.path,
        );
        if (v.ca !== undefined) compare("ca", formatContentAddress({ method, hash }), v.ca);
        if (v.tree !== undefined) compare("hash of the tree", hashOfTree(v.tree, method, hash.algorithm), v.hash);
        return;
      }
      const nar = narOfTree(readVectorTree(v.tree as VectorTree));
      const narHash = hashBytes("sha256", nar);
      compare("NAR hash", formatHash(narHash, "base16"), v.narSha256);
      const hasher = new SelfHasher("sha256", storePathDigest(v.path as StorePath));
      hasher.update(nar);
      const { hash: modulo, offsets } = hasher.digest();
      if (v.hashModuloSelf !== undefined) compare("hash modulo self", toBase16(modulo.digest), v.hashModuloSelf);
      if (v.selfOffsets !== undefined) compare("offsets of the own digest", offsets, v.selfOffsets);
      const others = references.filter((r) => r !== v.path);
      compare("path", makeSourcePath(v.pathName, modulo, others, v.selfReference === true, v.storeDir), v.path);
      if (v.ca === undefined) return;
      compare("ca", formatContentAddress({ method: "recursive", hash: modulo }), v.ca);
      const path = v.path as StorePath;
      const own = v.selfReference === true ? [path] : [];
      const info = { path, narHash, narSize: 0, references: [...others, ...own], signatures: [], ca: v.ca };
      compare("verifiably content-addressed", isVerifiablyContentAddressed(info), true);
    });
  }
  for (const v of vectors.names) {
    await suite.case(`name ${JSON.stringify(v.input)}`, (compare) => {
      compare("may be made", attempt(() => checkName(v.input)) !== undefined, v.nix280 && v.current);
      // The vectors refuse a lone dash, but Nix 2.8 makes such paths: builtins.toFile "-" "x". So we read them.
      if (v.input !== "-")
        compare("may be read", tryParseStorePath(`/nix/store/${"0".repeat(32)}-${v.input}`) !== undefined, v.nix280);
    });
  }
}

function hashOfTree(vector: VectorTree, method: FileIngestionMethod, algorithm: HashAlgorithm): string {
  const tree = readVectorTree(vector);
  const isFlat = method === "flat" && tree.type === "regular";
  return toBase16(hashBytes(algorithm, isFlat ? tree.contents : narOfTree(tree)).digest);
}

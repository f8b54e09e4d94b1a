import { formatHash, fromBase64, hashBytes, utf8 } from "../../core/base/index.ts";
import { ed25519 } from "../../core/host/signing/index.ts";
import {
  closureOf,
  formatCacheInfo,
  formatNarInfo,
  formatRealisation,
  goodSignatures,
  isTrusted,
  type NarInfo,
  NarLister,
  parseCacheInfo,
  parseNar,
  parseNarInfo,
  parsePublicKey,
  parseRealisation,
  realisationFile,
  type StorePath,
  storePathDigest,
} from "../../core/store/index.ts";
import { type Suite, textOf, type VectorBytes } from "./suite.ts";
import { narOfTree } from "./tree.ts";

interface Vectors {
  readonly storeDir: string;
  readonly publicKey: string;
  readonly closureOf: readonly StorePath[];
  readonly files: Readonly<Record<string, VectorBytes>>;
}

/** Every file of a cache: read, checked against the others, and written again. */
export async function runBinaryCache(
  { storeDir, publicKey, closureOf: starts, files }: Vectors,
  suite: Suite,
): Promise<void> {
  const names = Object.keys(files);
  const bytesOf = (name: string): Uint8Array => {
    const file = files[name];
    if (file === undefined) throw new Error(`the cache has no file "${name}"`);
    return typeof file === "string" ? utf8(file) : fromBase64(file.base64);
  };
  const textIn = (name: string): string => textOf(files[name] as VectorBytes);
  const narInfoOf = (digest: string): NarInfo => parseNarInfo(textIn(`${digest}.narinfo`), storeDir);
  const key = parsePublicKey(publicKey);

  for (const name of names) {
    await suite.case(name, (compare) => {
      const [stem, ending] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf(".") + 1)];
      if (name === "nix-cache-info") {
        const info = parseCacheInfo(textIn(name));
        compare("store directory", info.storeDirectory ?? storeDir, storeDir);
        compare("written after read", formatCacheInfo(info), textIn(name));
      } else if (ending === "narinfo") {
        const info = narInfoOf(stem);
        compare("digest", storePathDigest(info.path), stem);
        compare("signed by", goodSignatures(info, [key], ed25519), [key.name]);
        compare("trusted", isTrusted(info, [key], ed25519, storeDir), true);
        compare("written after read", formatNarInfo(info), textIn(name));
        const nar = bytesOf(info.url);
        compare(
          "file",
          { hash: hashBytes("sha256", nar), size: nar.length },
          { hash: info.fileHash, size: info.fileSize },
        );
        compare(
          "archive",
          { hash: hashBytes("sha256", nar), size: nar.length },
          { hash: info.narHash, size: info.narSize },
        );
      } else if (ending === "ls") {
        const lister = new NarLister();
        lister.push(bytesOf(narInfoOf(stem).url));
        compare("listing", JSON.parse(JSON.stringify({ version: 1, root: lister.finish() })), JSON.parse(textIn(name)));
      } else if (ending === "nar") {
        const nar = bytesOf(name);
        compare("name", `nar/${formatHash(hashBytes("sha256", nar), "base32")}.nar`, name);
        compare("written after read", narOfTree(parseNar(nar)), nar);
      } else if (ending === "doi") {
        const realisation = parseRealisation(textIn(name), storeDir);
        compare("name", realisationFile(realisation.id), name);
        compare("written after read", JSON.parse(formatRealisation(realisation)), JSON.parse(textIn(name)));
      }
    });
  }
  await suite.case("the closure is complete", (compare) => {
    const closure = closureOf(starts, (path) => narInfoOf(storePathDigest(path)).references);
    const held = names.filter((name) => name.endsWith(".narinfo")).map((name) => narInfoOf(name.slice(0, -8)).path);
    compare("objects", [...closure].sort(), [...held].sort());
  });
}

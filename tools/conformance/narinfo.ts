import { concatBytes, formatHash, fromBase64, hashBytes, parseHash, toBase16 } from "../../core/base/index.ts";
import { decompress } from "../../core/host/binary-cache/decompress.ts";
import { ed25519 } from "../../core/host/signing/index.ts";
import {
  fingerprint,
  formatNarInfo,
  isTrusted,
  type NarInfo,
  parseNarInfo,
  parsePublicKey,
  parseSecretKey,
  type PathInfo,
  signPathInfo,
  type StorePath,
} from "../../core/store/index.ts";
import { attempt, type Suite } from "./suite.ts";

interface Vectors {
  readonly storeDir: string;
  readonly keys: { readonly secret: string };
  readonly cases: readonly {
    readonly path: StorePath;
    readonly narHash: string;
    readonly narSize: number;
    readonly references: readonly StorePath[];
    readonly deriver: StorePath | null;
    readonly ca: string | null;
    readonly fingerprint: string;
    readonly signature: string;
  }[];
  readonly verify: readonly {
    readonly name: string;
    readonly narinfo: string;
    readonly trustedKeys: readonly string[];
    readonly trusted: boolean;
  }[];
  readonly parse: readonly {
    readonly name: string;
    readonly narinfo: string;
    readonly ok: boolean;
    readonly parsed?: Readonly<Record<string, unknown>>;
  }[];
  readonly compressed: readonly {
    readonly compression: string;
    readonly narinfo: string;
    readonly file: string;
    readonly narSha256: string;
  }[];
}

export async function runNarInfo(vectors: Vectors, suite: Suite): Promise<void> {
  const { storeDir } = vectors;
  const key = parseSecretKey(vectors.keys.secret);
  for (const v of vectors.cases) {
    await suite.case(`signature of ${v.path}`, (compare) => {
      const info: PathInfo = {
        path: v.path,
        narHash: parseHash(v.narHash),
        narSize: v.narSize,
        references: v.references,
        signatures: [],
        ...(v.deriver === null ? {} : { deriver: v.deriver }),
        ...(v.ca === null ? {} : { ca: v.ca }),
      };
      compare("fingerprint", fingerprint(info), v.fingerprint);
      compare("signature", signPathInfo(info, key, ed25519), v.signature);
    });
  }
  for (const v of vectors.verify) {
    await suite.case(`verify ${v.name}`, (compare) => {
      const info = parseNarInfo(v.narinfo, storeDir);
      // A malformed signature stops Nix with an error; either way the object is not taken in.
      const trusted = attempt(() => isTrusted(info, v.trustedKeys.map(parsePublicKey), ed25519, storeDir)) ?? false;
      compare("trusted", trusted, v.trusted);
    });
  }
  for (const v of vectors.parse) {
    await suite.case(`parse ${v.name}`, (compare) => {
      const info = attempt(() => parseNarInfo(v.narinfo, storeDir));
      compare("accepted", info !== undefined, v.ok);
      if (info === undefined) return;
      if (v.parsed !== undefined) compare("parsed", shownInfo(info), v.parsed);
      const text = formatNarInfo(info);
      compare("written after read", formatNarInfo(parseNarInfo(text, storeDir)), text);
      compare("read after written", parseNarInfo(text, storeDir), info);
    });
  }
  for (const [index, v] of vectors.compressed.entries()) {
    await suite.case(`compressed ${index} (${v.compression})`, async (compare) => {
      const info = parseNarInfo(v.narinfo, storeDir);
      const file = fromBase64(v.file);
      compare("compression", info.compression, v.compression);
      if (info.fileHash !== undefined) compare("file hash", hashBytes("sha256", file), info.fileHash);
      if (info.fileSize !== undefined) compare("file size", file.length, info.fileSize);
      const nar = await decompressAll(file, info.compression, info.narSize);
      compare("archive", toBase16(hashBytes("sha256", nar).digest), v.narSha256);
      compare(
        "archive of the narinfo",
        { hash: hashBytes("sha256", nar), size: nar.length },
        { hash: info.narHash, size: info.narSize },
      );
    });
  }
}

/** The form of `nix path-info --json`. */
function shownInfo(info: NarInfo): Record<string, unknown> {
  return {
    path: info.path,
    narHash: formatHash(info.narHash, "sri"),
    narSize: info.narSize,
    references: info.references,
    ...(info.ca === undefined ? {} : { ca: info.ca }),
    ...(info.deriver === undefined ? {} : { deriver: info.deriver }),
    ...(info.signatures.length === 0 ? {} : { signatures: info.signatures }),
    url: info.url,
    ...(info.fileHash === undefined ? {} : { downloadHash: formatHash(info.fileHash, "sri") }),
    ...(info.fileSize === undefined ? {} : { downloadSize: info.fileSize }),
  };
}

async function decompressAll(file: Uint8Array, compression: string, sizeBytes: number): Promise<Uint8Array> {
  async function* once(): AsyncGenerator<Uint8Array> {
    yield file;
  }
  const parts: Uint8Array[] = [];
  for await (const part of decompress(once(), compression, sizeBytes)) parts.push(part);
  return concatBytes(parts);
}

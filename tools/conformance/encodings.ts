import {
  foldDigest,
  formatHash,
  fromBase16,
  fromBase32,
  fromBase64,
  type HashAlgorithm,
  hashBytes,
  parseHash,
  toBase16,
  toBase32,
  toBase64,
} from "../../core/base/index.ts";
import { attempt, type Suite } from "./suite.ts";

interface Vectors {
  readonly cases: readonly {
    readonly algo: HashAlgorithm;
    readonly base16: string;
    readonly base32: string;
    readonly base64: string;
    readonly sri: string;
    readonly hashOf?: string;
    readonly folded20?: { readonly base16: string; readonly base32: string };
  }[];
  readonly parse: readonly {
    readonly input: string;
    readonly type?: HashAlgorithm;
    readonly ok: boolean;
    readonly base16?: string;
  }[];
}

export async function runEncodings(vectors: Vectors, suite: Suite): Promise<void> {
  for (const v of vectors.cases) {
    await suite.case(`${v.algo} ${v.base16.slice(0, 16)}`, (compare) => {
      const digest = fromBase16(v.base16);
      compare("base 32", toBase32(digest), v.base32);
      compare("base 64", toBase64(digest), v.base64);
      compare("SRI", formatHash({ algorithm: v.algo, digest }, "sri"), v.sri);
      compare("from base 32", toBase16(fromBase32(v.base32)), v.base16);
      compare("from base 64", toBase16(fromBase64(v.base64)), v.base16);
      if (v.hashOf !== undefined) compare("hash", toBase16(hashBytes(v.algo, fromBase64(v.hashOf)).digest), v.base16);
      if (v.folded20 !== undefined) {
        const folded = foldDigest(digest, 20);
        compare("folded", { base16: toBase16(folded), base32: toBase32(folded) }, v.folded20);
      }
    });
  }
  for (const v of vectors.parse) {
    await suite.case(`parse ${JSON.stringify(v.input)}`, (compare) => {
      const hash = attempt(() => parseHash(v.input, v.type));
      compare("digest", hash && toBase16(hash.digest), v.ok ? v.base16 : undefined);
    });
  }
}

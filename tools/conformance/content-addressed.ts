import { toBase16 } from "../../core/base/index.ts";
import {
  checkOutputPaths,
  type Derivation,
  type DerivationOutput,
  derivationNameOf,
  derivationPath,
  formatDerivation,
  hashDerivationModulo,
  makeInputHashes,
  outputKind,
  parseDerivation,
  parseOutputAlgorithm,
  resolveDerivation,
} from "../../core/derivation/index.ts";
import { ed25519 } from "../../core/host/signing/index.ts";
import {
  dependentRealisations,
  formatContentAddress,
  formatRealisation,
  isVerifiablyContentAddressed,
  makeContentAddressedPath,
  makeRealisationId,
  type NarNode,
  outputPathName,
  parseRealisation,
  parseSecretKey,
  type Realisation,
  ReferenceScanner,
  realisationFingerprint,
  type SecretKey,
  SelfHasher,
  type StorePath,
  signRealisation,
  storePathDigest,
} from "../../core/store/index.ts";
import { type Compare, type Suite, textOf, type VectorBytes } from "./suite.ts";
import { hashOfNar, narOfTree, readVectorTree, type VectorTree } from "./tree.ts";

interface OutputCase {
  readonly name: string;
  readonly drvPath: StorePath;
  readonly drv: VectorBytes;
  readonly output: string;
  readonly outPath: StorePath;
  readonly tree: VectorTree;
  readonly narSha256: string;
  readonly narSize: number;
  readonly references: readonly StorePath[];
  readonly ca: string | null;
  readonly deriver: StorePath;
  readonly realisation: { readonly id: string; readonly signatures: readonly string[] };
  readonly realisationFingerprint: string;
  readonly selfOffsets?: readonly number[];
  readonly hashModuloSelf?: { readonly algo: string; readonly base16: string };
}

interface Vectors {
  readonly keys: { readonly secret: string };
  readonly cases: readonly OutputCase[];
  readonly resolved: readonly { readonly drvPath: StorePath; readonly drv: VectorBytes }[];
}

export async function runContentAddressed(vectors: Vectors, suite: Suite): Promise<void> {
  const { cases } = vectors;
  const read = ({ drv, drvPath }: { drv: VectorBytes; drvPath: StorePath }): Derivation =>
    parseDerivation(textOf(drv), derivationNameOf(drvPath));
  const find = (drvPath: StorePath, output?: string): OutputCase => {
    const found = cases.find((each) => each.drvPath === drvPath && (output === undefined || each.output === output));
    if (found === undefined) throw new Error(`the vectors have no output of "${drvPath}"`);
    return found;
  };
  const inputs = makeInputHashes((drvPath) => read(find(drvPath)));
  const resolve = (drv: Derivation): Derivation =>
    resolveDerivation(drv, { realised: (drvPath, output) => find(drvPath, output).outPath });
  const key = parseSecretKey(vectors.keys.secret);

  for (const v of cases) {
    await suite.case(v.name, (compare) => {
      const drv = read(v);
      compare("drv", formatDerivation(drv), textOf(v.drv));
      compare("drvPath", derivationPath(drv), v.drvPath);
      compareContents(v, drv, cases, compare);
      // An object keeps the deriver it was registered with first, whatever else builds it.
      const derivers = cases
        .filter((each) => each.outPath === v.outPath)
        .map((each) => derivationPath(resolve(read(each))));
      compare("deriver", derivers.includes(v.deriver) ? v.deriver : derivers, v.deriver);

      const id = makeRealisationId(
        hashDerivationModulo(drv, { masked: true, inputs }).hashes.get(v.output) as Uint8Array,
        v.output,
      );
      const asked = [...drv.inputDerivations].flatMap(([path, outputs]) => outputs.map((o) => find(path, o)));
      const known = new Map(cases.map((each) => [each.realisation.id, realisationOf(each)]));
      const unsigned: Realisation = {
        id,
        outPath: v.outPath,
        signatures: [],
        dependentRealisations:
          asked.length === 0
            ? new Map()
            : dependentRealisations(asked.map(realisationOf), v.references, (each) => known.get(each)),
      };
      compareRealisation(v, unsigned, key, compare);
    });
  }

  for (const v of vectors.resolved) {
    await suite.case(`resolved ${v.drvPath}`, (compare) => {
      const drv = read(v);
      compare("drv", formatDerivation(drv), textOf(v.drv));
      compare("drvPath", derivationPath(drv), v.drvPath);
      compare("consistency", checkOutputPaths(drv, { inputs }), []);
      const before = cases.find((each) => each.deriver === v.drvPath && each.drvPath !== v.drvPath);
      if (before !== undefined) compare("resolution", formatDerivation(resolve(read(before))), textOf(v.drv));
    });
  }
}

function realisationOf({ realisation }: OutputCase): Realisation {
  return parseRealisation(JSON.stringify(realisation));
}

/** Archive, references, and for content-addressed outputs everything their paths are made from. */
function compareContents(v: OutputCase, drv: Derivation, cases: readonly OutputCase[], compare: Compare): void {
  const tree = readVectorTree(v.tree);
  const nar = narOfTree(tree);
  compare("NAR hash", hashOfNar(nar), v.narSha256);
  compare("NAR size", nar.length, v.narSize);
  const scanner = new ReferenceScanner([...cases.map((each) => each.outPath), ...v.references]);
  scanner.update(nar);
  compare("references", scanner.found(), v.references);

  const output = drv.outputs[v.output] as DerivationOutput;
  const floating = outputKind(output) === "floating";
  compare("is content-addressed", floating, v.ca !== null);
  if (!floating || v.ca === null) return;
  const { method, algorithm } = parseOutputAlgorithm(output.hashAlgorithm);
  const hasher = new SelfHasher(algorithm, storePathDigest(v.outPath));
  hasher.update(method === "flat" ? contentsOf(tree) : nar);
  const { hash, offsets } = hasher.digest();
  if (v.selfOffsets !== undefined) compare("offsets of the own digest", offsets, v.selfOffsets);
  if (v.hashModuloSelf !== undefined)
    compare("hash modulo self", { algo: algorithm, base16: toBase16(hash.digest) }, v.hashModuloSelf);
  compare("ca", formatContentAddress({ method, hash }), v.ca);
  const path = makeContentAddressedPath(
    outputPathName(drv.name, v.output),
    { method, hash },
    { references: v.references.filter((r) => r !== v.outPath), self: v.references.includes(v.outPath) },
  );
  compare("path", path, v.outPath);
  const info = {
    path: v.outPath,
    narHash: hash,
    narSize: nar.length,
    references: v.references,
    signatures: [],
    ca: v.ca,
  };
  compare("verifiably content-addressed", isVerifiablyContentAddressed(info), true);
}

function contentsOf(tree: NarNode): Uint8Array {
  if (tree.type !== "regular") throw new Error("a flat output is no regular file");
  return tree.contents;
}

function compareRealisation(v: OutputCase, unsigned: Realisation, key: SecretKey, compare: Compare): void {
  compare("realisation fingerprint", realisationFingerprint(unsigned), v.realisationFingerprint);
  const signatures = v.realisation.signatures.length === 0 ? [] : [signRealisation(unsigned, key, ed25519)];
  const text = formatRealisation({ ...unsigned, signatures });
  compare("realisation", JSON.parse(text), v.realisation);
  compare("realisation written after read", formatRealisation(parseRealisation(text)), text);
}

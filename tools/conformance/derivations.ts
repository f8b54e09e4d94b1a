import { fromBase16, type HashAlgorithm, raise, toBase16 } from "../../core/base/index.ts";
import {
  checkOutputPaths,
  type Derivation,
  derivationPath,
  derivationReferences,
  downstreamPlaceholder,
  formatDerivation,
  formatStructuredAttrs,
  hashDerivationModulo,
  makeInputHashes,
  type OutputRule,
  parseDerivation,
  placeholder,
  showDerivation,
  type StructuredValue,
  withOutputs,
} from "../../core/derivation/index.ts";
import type { FileIngestionMethod, StorePath } from "../../core/store/index.ts";
import { attempt, type Suite, textOf, type VectorBytes } from "./suite.ts";

type VectorOutput =
  | { readonly type: "input-addressed" }
  | {
      readonly type: "fixed";
      readonly method: FileIngestionMethod;
      readonly hashAlgo: HashAlgorithm;
      readonly hash: string;
    }
  | { readonly type: "floating" | "impure"; readonly method: FileIngestionMethod; readonly hashAlgo: HashAlgorithm };

interface Input {
  readonly name: string;
  readonly system: string;
  readonly builder: VectorBytes;
  readonly args: readonly VectorBytes[];
  readonly env: Readonly<Record<string, VectorBytes>>;
  readonly outputs: Readonly<Record<string, VectorOutput>>;
  readonly inputDrvs: Readonly<Record<string, readonly string[]>>;
  readonly inputSrcs: readonly string[];
}

interface DerivationCase {
  readonly name: string;
  readonly input: Input;
  readonly structuredAttrs?: StructuredValue;
  readonly showDerivation?: unknown;
  readonly expected: {
    readonly drvPath: string;
    readonly drv: VectorBytes;
    readonly references: readonly string[];
    readonly outputs: Readonly<Record<string, string | null>>;
    readonly outputEnv: Readonly<Record<string, string>>;
    readonly hashModuloMasked?: string;
    readonly hashModulo: Readonly<Record<string, string>>;
    readonly deferred: boolean;
    readonly realisationHash?: string;
  };
}

interface Vectors {
  readonly placeholders: Readonly<Record<string, string>>;
  readonly downstreamPlaceholders: readonly {
    readonly drvPath: string;
    readonly output: string;
    readonly placeholder: string;
  }[];
  readonly equalities: readonly {
    readonly a: string;
    readonly b: string;
    readonly sameOutputs: boolean;
    readonly sameDrvPath: boolean;
  }[];
  readonly cases: readonly DerivationCase[];
  readonly parse: readonly {
    readonly name: string;
    readonly drvName: string;
    readonly drv: VectorBytes;
    readonly nix280: string;
    readonly parsed?: Record<string, unknown>;
  }[];
}

function outputRule(outputs: Readonly<Record<string, VectorOutput>>): OutputRule {
  const names = Object.keys(outputs);
  const first = outputs[names[0] as string] as VectorOutput;
  if (first.type === "input-addressed") return { kind: first.type, outputs: names };
  if (first.type === "fixed")
    return { kind: "fixed", method: first.method, hash: { algorithm: first.hashAlgo, digest: fromBase16(first.hash) } };
  return { kind: first.type, outputs: names, method: first.method, algorithm: first.hashAlgo };
}

export async function runDerivations(vectors: Vectors, suite: Suite): Promise<void> {
  const made = new Map<string, Derivation>();
  const inputs = makeInputHashes((path) => made.get(path) as Derivation);
  const byName = new Map<string, Derivation>();
  for (const { name, input, expected, structuredAttrs, showDerivation: shown } of vectors.cases) {
    await suite.case(name, (compare) => {
      const rule = outputRule(input.outputs);
      const drv = withOutputs(
        {
          name: input.name,
          system: input.system,
          builder: textOf(input.builder),
          args: input.args.map(textOf),
          env: Object.fromEntries(Object.entries(input.env).map(([key, value]) => [key, textOf(value)])),
          inputDerivations: new Map(Object.entries(input.inputDrvs)) as Map<StorePath, readonly string[]>,
          inputSources: input.inputSrcs as StorePath[],
        },
        rule,
        { inputs },
      );
      made.set(expected.drvPath, drv);
      byName.set(name, drv);
      const term = formatDerivation(drv);
      compare("drv", term, textOf(expected.drv));
      compare("drvPath", derivationPath(drv), expected.drvPath);
      compare("references", derivationReferences(drv), expected.references);
      compare(
        "outputs",
        Object.fromEntries(Object.entries(drv.outputs).map(([o, { path }]) => [o, path || null])),
        expected.outputs,
      );
      compare(
        "output variables",
        Object.fromEntries(Object.keys(expected.outputEnv).map((o) => [o, drv.env[o]])),
        expected.outputEnv,
      );
      const unmasked = hashDerivationModulo(drv, { masked: false, inputs });
      compare(
        "hash modulo",
        Object.fromEntries([...unmasked.hashes].map(([o, d]) => [o, toBase16(d)])),
        expected.hashModulo,
      );
      compare("deferred", unmasked.deferred, expected.deferred);
      const masked = toBase16(
        hashDerivationModulo(drv, { masked: true, inputs }).hashes.values().next().value as Uint8Array,
      );
      if (expected.hashModuloMasked !== undefined) compare("masked hash modulo", masked, expected.hashModuloMasked);
      if (expected.realisationHash !== undefined) compare("realisation hash", masked, expected.realisationHash);
      compare("written after read", formatDerivation(parseDerivation(term, input.name)), term);
      compare("consistency", checkOutputPaths(drv, { inputs }), []);
      if (shown !== undefined) compare("shown", JSON.parse(JSON.stringify(showDerivation(drv))), shown);
      if (structuredAttrs !== undefined) compare("__json", formatStructuredAttrs(structuredAttrs), drv.env["__json"]);
    });
  }
  for (const [output, expected] of Object.entries(vectors.placeholders)) {
    await suite.case(`placeholder "${output}"`, (compare) => compare("placeholder", placeholder(output), expected));
  }
  for (const v of vectors.downstreamPlaceholders) {
    await suite.case(`downstream placeholder ${v.drvPath}!${v.output}`, (compare) =>
      compare("placeholder", downstreamPlaceholder(v.drvPath as StorePath, v.output), v.placeholder),
    );
  }
  for (const { a, b, sameOutputs, sameDrvPath } of vectors.equalities) {
    await suite.case(`equality ${a} = ${b}`, (compare) => {
      const [left, right] = [byName.get(a) as Derivation, byName.get(b) as Derivation];
      const paths = (drv: Derivation): string[] =>
        Object.values(drv.outputs)
          .map((o) => o.path)
          .sort();
      compare("same outputs", JSON.stringify(paths(left)) === JSON.stringify(paths(right)), sameOutputs);
      compare("same drv path", derivationPath(left) === derivationPath(right), sameDrvPath);
    });
  }
  for (const v of vectors.parse) {
    await suite.case(`parse ${v.name}`, (compare) => {
      const drv = attempt(() => {
        const parsed = parseDerivation(textOf(v.drv), v.drvName);
        // Nix checks the paths once the inputs are there; those of other files are not.
        if ([...parsed.inputDerivations.keys()].every((path) => made.has(path)))
          raise(checkOutputPaths(parsed, { inputs }));
        return parsed;
      });
      compare("accepted", drv !== undefined, v.nix280 === "accept");
      if (drv !== undefined && v.parsed !== undefined)
        compare("parsed", JSON.parse(JSON.stringify(showDerivation(drv))), v.parsed);
    });
  }
}

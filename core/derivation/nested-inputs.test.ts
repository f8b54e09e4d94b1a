import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";
import {
  beginEvaluation,
  checkOutputPaths,
  contextOf,
  type Derivation,
  derivation,
  derivationReferences,
  downstreamPlaceholder,
  type Evaluation,
  formatDerivation,
  hashDerivationModulo,
  mustResolve,
  outputOf,
  parseDerivation,
  parseDerivationReferences,
  parseShownDerivations,
  readOutput,
  resolveDerivation,
  showDerivation,
  toFile,
} from "./index.ts";

const hasCode = (code: string, words?: RegExp) => (error: CodedError) =>
  error.code === code && (words === undefined || words.test(`${error.message} ${error.hint}`));
const SHELL = { system: "x86_64-linux", builder: "/bin/sh" };
const TEXT = { method: "text", algorithm: "sha256" } as const;

const DEP1 = "/nix/store/c015dhfh5l0lp6wxyvdn7bmwhbbr6hr9-dep1" as StorePath;
const DEP2 = "/nix/store/c015dhfh5l0lp6wxyvdn7bmwhbbr6hr9-dep2.drv" as StorePath;
const OUT = '[("out","","","")]';
// The inputs of Nix's own unit tests of derivations (dynDerivationDeps.json and its text).
const WANTED = `("${DEP2}",(["cat","dog"],[("cat",["kitten"]),("goose",["gosling"])]))`;
const NIX = `DrvWithVersion("xp-dyn-drv",${OUT},[${WANTED}],["${DEP1}"],"wasm-sel4","foo",["bar","baz"],[("BIG_BAD","WOLF")])`;
const SHOWN = {
  [DEP2]: {
    dynamicOutputs: {
      cat: { dynamicOutputs: {}, outputs: ["kitten"] },
      goose: { dynamicOutputs: {}, outputs: ["gosling"] },
    },
    outputs: ["cat", "dog"],
  },
};

test("downstreamPlaceholder() stands for outputs of outputs, as Nix has them", () => {
  // Nix, unit tests of DownstreamPlaceholder: unknownCaOutput, unknownDerivation
  const store = "/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q";
  assert.is(
    downstreamPlaceholder(`${store}-foo.drv` as StorePath, "out"),
    "/0c6rn30q4frawknapgwq386zq358m8r6msvywcvc89n6m5p2dgbz",
  );
  assert.is(
    downstreamPlaceholder(`${store}-foo.drv.drv` as StorePath, "out", "out"),
    "/0gn6agqxjyyalf0dpihgyf49xq5hqxgw100f0wydnj6yqrhqsb3w",
  );
});

test("terms and JSON of outputs of outputs are those of Nix", () => {
  const read = parseDerivation(NIX, "dyn-dep-derivation");
  assert.equal([...read.inputDerivations], [[DEP2, ["cat", "dog"]]]);
  assert.equal(read.nestedInputs, [
    { drvPath: DEP2, through: ["cat"], outputs: ["kitten"] },
    { drvPath: DEP2, through: ["goose"], outputs: ["gosling"] },
  ]);
  assert.is(formatDerivation(read), NIX);
  assert.equal(derivationReferences(read), [DEP1, DEP2]);
  assert.equal(parseDerivationReferences(NIX, "n"), [DEP2, DEP1]);
  assert.equal(showDerivation(read).inputDrvs, SHOWN);
  const json = { ...showDerivation(read), name: "dyn-dep-derivation" };
  assert.equal(parseShownDerivations(json)[0]?.derivation, read);
});

test("parseDerivation() refuses outputs of outputs where they cannot be", () => {
  const refuses = (text: string, words: RegExp): void =>
    assert.throws(() => parseDerivation(text, "n"), hasCode("derivation.malformed", words), text.slice(0, 100));
  // Nix, unit tests of derivations: bad-old-version-dyn-deps.drv
  refuses(NIX.replace('DrvWithVersion("xp-dyn-drv",', "Derive("), /expected "\["/);
  refuses(NIX.replace("xp-dyn-drv", "xp-other"), /found the version "xp-other"/);
  refuses(NIX.replace('[("cat",["kitten"]),', '[("cat"),'), /expected ","/);
  const deep = (levels: number): string => {
    const node = `${'([],[("out",'.repeat(levels)}["out"]${")])".repeat(levels)}`;
    return NIX.replace(WANTED, `("${DEP2}",${node})`);
  };
  refuses(deep(101), /more than 100 levels deep/);
  refuses(deep(100_000), /more than 100 levels deep/);
  assert.is(formatDerivation(parseDerivation(deep(100), "n")), deep(100));
});

test("outputOf() gives outputs of what builders write, however deep", () => {
  const evaluation = beginEvaluation({ hashTree: () => ({ narHash: hashBytes("sha256", ""), narSize: 0 }) });
  const plan = derivation({ ...SHELL, name: "hello.drv", contentAddressed: TEXT });
  const inner = outputOf(plan);
  const drvPath = plan.drvPath as StorePath;
  assert.is(inner, downstreamPlaceholder(drvPath, "out", "out"));
  assert.is(outputOf(plan.outPath, "dev"), downstreamPlaceholder(drvPath, "out", "dev"));
  // Nix: builtins.outputOf (builtins.outputOf drvPath "out") "out" is that of the output's path
  assert.is(outputOf(outputOf(plan.drvPath)), inner);
  const deepest = outputOf(inner, "lib");
  assert.is(deepest, downstreamPlaceholder(drvPath, "out", "out", "lib"));

  const user = made(
    evaluation,
    derivation({ ...SHELL, name: "user", args: [`${inner}/bin`], env: { also: [deepest, plan] } }),
  );
  assert.equal([...user.inputDerivations], [[drvPath, ["out"]]]);
  assert.equal(user.nestedInputs, [
    { drvPath, through: ["out"], outputs: ["out"] },
    { drvPath, through: ["out", "out"], outputs: ["lib"] },
  ]);
  assert.equal(user.outputs, { out: { path: "", hashAlgorithm: "", hash: "" } });
  assert.is(user.env["out"], "");
  const alone = made(evaluation, derivation({ ...SHELL, name: "alone", args: [inner] }));
  assert.equal([...alone.inputDerivations], [[drvPath, []]]);
  assert.equal(contextOf(inner), {
    derivations: new Map([[plan.drvPath, []]]),
    nested: [{ drvPath, through: ["out"], outputs: ["out"] }],
    sources: [],
  });
});

test("outputOf() of a derivation's own file is its output", () => {
  beginEvaluation({ hashTree: () => ({ narHash: hashBytes("sha256", ""), narSize: 0 }) });
  const plain = derivation({ ...SHELL, name: "plain", outputs: ["out", "dev"] });
  const floating = derivation({ ...SHELL, name: "floating", contentAddressed: true });
  assert.is(outputOf(plain.drvPath, "dev"), plain.outputs["dev"]);
  assert.is(outputOf(floating.drvPath), floating.outPath);
  assert.throws(() => outputOf(plain.drvPath, "doc"), hasCode("derivation.no-such-output", /found only out, dev/));
});

test("outputOf() says what it cannot be used for", () => {
  beginEvaluation({ hashTree: () => ({ narHash: hashBytes("sha256", ""), narSize: 0 }) });
  const plan = derivation({ ...SHELL, name: "x.drv", contentAddressed: TEXT });
  const other = derivation({ ...SHELL, name: "x", outputs: ["out", "plan.drv"], contentAddressed: TEXT });
  assert.throws(
    () => outputOf(other),
    hasCode("derivation.not-a-derivation", /Name the derivation that writes it "x\.drv"/),
  );
  assert.match(outputOf(other.outputs["plan.drv"] as string), /^\/[0-9a-z]{52}$/);
  for (const text of ["", "x", `${plan}/file`, `${plan}${other}`, toFile("x.drv", "x")])
    assert.throws(() => outputOf(text), hasCode("derivation.no-output-path"), text);
  assert.throws(() => outputOf(plan, "drv"), hasCode("derivation.output-name"));
  assert.throws(() => outputOf(plan, "a/b"), hasCode("store-path.name"));
  assert.throws(() => readOutput(outputOf(plan)), hasCode("derivation.no-output-path"));
  assert.throws(() => toFile("t", outputOf(plan)), hasCode("derivation.text-refers-to-output"));
  try {
    outputOf("x");
  } catch (error) {
    assert.match((error as CodedError).at?.file ?? "", /nested-inputs\.test\.ts$/);
  }
});

const INNER = "/nix/store/g1w7hy3qg1w7hy3qg1w7hy3qg1w7hy3q-inner.drv" as StorePath;
const MADE = "/nix/store/i1pyzmfbsqg5gw4v2wvz347liyg70war-inner" as StorePath;

function user(text: string): Derivation {
  const term = `DrvWithVersion("xp-dyn-drv",${OUT},[("${DEP2}",([],[("out",["out"])]))],[],"s","b",["${text}"],[("out","")])`;
  return parseDerivation(term, "user");
}

test("resolveDerivation() goes through derivations that are outputs", () => {
  const drv = user(downstreamPlaceholder(DEP2, "out", "out"));
  assert.ok(mustResolve(drv, () => true));
  const realised = (path: StorePath, output: string): StorePath | undefined =>
    output !== "out" ? undefined : path === DEP2 ? INNER : path === INNER ? MADE : undefined;
  const resolved = resolveDerivation(drv, { realised });
  assert.equal(resolved.inputSources, [MADE]);
  assert.equal(resolved.args, [MADE]);
  assert.is(resolved.nestedInputs, undefined);
  assert.match(formatDerivation(resolved), /^Derive\(\[\("out","\/nix\/store\//);
  for (const missing of [DEP2, INNER])
    assert.throws(
      () =>
        resolveDerivation(drv, { realised: (path, output) => (path === missing ? undefined : realised(path, output)) }),
      hasCode("derivation.not-realised", new RegExp(`of "${missing}"`)),
    );
});

test("the hash modulo of what needs outputs of outputs is deferred, and another one for each of them", () => {
  const inputs = () => ({ hashes: new Map([["out", hashBytes("sha256", "x").digest]]), deferred: false });
  const hash = (drv: Derivation) => hashDerivationModulo(drv, { masked: true, inputs });
  const one = user("text");
  assert.ok(hash(one).deferred);
  const other = { ...one, nestedInputs: [{ drvPath: DEP2, through: ["out"], outputs: ["dev"] }] };
  const none: Derivation = { ...one };
  Reflect.deleteProperty(none, "nestedInputs");
  const hashes = [one, other, none].map((drv) => [...(hash(drv).hashes.get("out") as Uint8Array)].join());
  assert.is(new Set(hashes).size, 3);
  assert.throws(
    () => hash({ ...one, nestedInputs: [{ drvPath: DEP2, through: ["lib"], outputs: ["out"] }] }),
    hasCode("derivation.no-such-output"),
  );
  assert.equal(checkOutputPaths(one, { inputs }), []);
  const stated = { ...one, outputs: { out: { path: MADE, hashAlgorithm: "", hash: "" } } };
  assert.is(checkOutputPaths(stated, { inputs })[0]?.code, "derivation.inconsistent");
});

function made(evaluation: Evaluation, { drvPath, name }: { drvPath: string; name: string }): Derivation {
  const text = evaluation.derivations.get(drvPath) as string;
  const drv = parseDerivation(text, name);
  assert.is(formatDerivation(drv), text);
  return drv;
}

test.run();

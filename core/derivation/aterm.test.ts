import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, fromUtf8, hashBytes, sortedText, toBase16, utf8 } from "../base/index.ts";
import { type StorePath, storePathDigest, storePathFromBaseName } from "../store/index.ts";
import { anySha256, anyStorePath, anyStorePaths, anyText } from "../store/testing.ts";
import {
  type Derivation,
  type DerivationOutput,
  derivationPath,
  formatDerivation,
  formatStructuredAttrs,
  hashDerivationModulo,
  type InputHashes,
  parseDerivation,
  parseDerivationReferences,
  parseShownDerivations,
  resolveDerivation,
  showDerivation,
  sortNested,
  type StructuredValue,
} from "./index.ts";

/** Nix's strings hold no NUL; any other byte may occur. */
const text = fc
  .oneof(fc.constantFrom("", '"', "\\", "\n\r\t", "\\n"), anyText)
  .map((each) => fromUtf8(utf8(each.replaceAll("\0", ""))));
const outputName = fc.constantFrom("out", "dev", "doc", "lib", "10", "9", "__proto__");
const pairs = <K, V>(key: fc.Arbitrary<K>, value: fc.Arbitrary<V>, minLength = 0) =>
  fc.uniqueArray(fc.tuple(key, value), { minLength, maxLength: 4, selector: ([each]) => each });
const anyDerivationPath = anyStorePath.map((path) => storePathFromBaseName(`${storePathDigest(path)}-input.drv`));
/** All outputs are of one kind; a fixed one is alone. */
const outputsOf = (output: fc.Arbitrary<DerivationOutput>) =>
  pairs(outputName, output, 1).map((entries) => Object.fromEntries(entries));
const anyOutputs = fc.oneof(
  outputsOf(anyStorePath.map((path) => ({ path, hashAlgorithm: "", hash: "" }))),
  outputsOf(fc.constantFrom("r:sha256", "sha1").map((hashAlgorithm) => ({ path: "", hashAlgorithm, hash: "" }))),
  outputsOf(fc.constant({ path: "", hashAlgorithm: "", hash: "" })),
  outputsOf(fc.constant({ path: "", hashAlgorithm: "r:sha256", hash: "impure" })),
  fc.tuple(anyStorePath, anySha256).map(([path, { digest }]) => ({
    out: { path, hashAlgorithm: "sha256", hash: toBase16(digest) },
  })),
);
const anyNested = fc.record(
  {
    through: fc.array(outputName, { minLength: 1, maxLength: 3 }),
    outputs: fc.uniqueArray(outputName, { minLength: 1, maxLength: 2 }),
  },
  { noNullPrototype: true },
);
const flatDerivation: fc.Arbitrary<Derivation> = fc.record(
  {
    name: fc.constant("n"),
    outputs: anyOutputs,
    inputDerivations: pairs(anyDerivationPath, fc.uniqueArray(outputName, { minLength: 1, maxLength: 3 })).map(
      (entries) => new Map(entries),
    ),
    inputSources: anyStorePaths,
    system: fc.constantFrom("x86_64-linux", "builtin"),
    builder: text,
    args: fc.array(text, { maxLength: 3 }),
    env: pairs(text, text).map((entries) => Object.fromEntries(entries)),
  },
  { noNullPrototype: true },
);
/** Some with outputs of outputs of their inputs. */
const derivation: fc.Arbitrary<Derivation> = fc
  .tuple(flatDerivation, fc.array(anyNested, { maxLength: 4 }))
  .map(([made, nested]) => {
    const paths = [...made.inputDerivations.keys()];
    const nestedInputs = sortNested(
      nested.flatMap((each, i) => paths.slice(i % 2, 1 + (i % 2)).map((drvPath) => ({ drvPath, ...each }))),
    );
    return nestedInputs.length === 0 ? made : { ...made, nestedInputs };
  });
const shuffled = <T>(items: readonly T[]): T[] => [...items].reverse();

test("parseDerivationReferences() says what parseDerivation() does, and does not look at the rest", () => {
  fc.assert(
    fc.property(derivation, (made) => {
      const written = formatDerivation(made);
      const expected = [...made.inputDerivations.keys(), ...made.inputSources];
      assert.equal(sortedText(parseDerivationReferences(written, "n")), sortedText(expected));
      const end = written.lastIndexOf(`],"${made.system}",`);
      assert.equal(sortedText(parseDerivationReferences(written.slice(0, end + 1), "n")), sortedText(expected));
    }),
  );
  assert.throws(() => parseDerivationReferences("Derive([],[],[]", "n"), {
    code: "derivation.malformed",
  } as CodedError);
});

test("parseDerivation() gives back every derivation that formatDerivation() wrote, through its bytes", () => {
  fc.assert(
    fc.property(derivation, (made) => {
      const written = formatDerivation(made);
      const read = parseDerivation(fromUtf8(utf8(written)), "n");
      assert.is(formatDerivation(read), written);
      assert.equal(new Map(Object.entries(read.outputs)), new Map(Object.entries(made.outputs)));
      assert.equal(new Map(Object.entries(read.env)), new Map(Object.entries(made.env)));
      assert.equal([read.builder, read.system, read.args], [made.builder, made.system, made.args]);
      assert.equal(read.inputSources, sortedText(made.inputSources));
      assert.equal(read.nestedInputs, made.nestedInputs);
      const shown = { [derivationPath(made)]: JSON.parse(JSON.stringify(showDerivation(made))) as unknown };
      assert.equal(parseShownDerivations(shown)[0]?.derivation.nestedInputs, made.nestedInputs);
      assert.is(derivationPath(read), derivationPath(made));
    }),
  );
});

test("formatDerivation() and the hash modulo do not depend on the order things were given in", () => {
  const inputs: InputHashes = (drvPath) => ({
    hashes: new Map(
      ["out", "dev", "doc", "lib", "10", "9", "__proto__"].map((o) => [o, hashBytes("sha256", drvPath + o).digest]),
    ),
    deferred: false,
  });
  fc.assert(
    fc.property(derivation, (made) => {
      const other: Derivation = {
        ...made,
        outputs: Object.fromEntries(shuffled(Object.entries(made.outputs))),
        inputDerivations: new Map(shuffled([...made.inputDerivations]).map(([path, names]) => [path, shuffled(names)])),
        ...(made.nestedInputs === undefined ? {} : { nestedInputs: sortNested(shuffled(made.nestedInputs)) }),
        inputSources: shuffled([...made.inputSources, ...made.inputSources]),
        env: Object.fromEntries(shuffled(Object.entries(made.env))),
      };
      assert.is(formatDerivation(other), formatDerivation(made));
      for (const masked of [true, false])
        assert.equal(hashDerivationModulo(other, { masked, inputs }), hashDerivationModulo(made, { masked, inputs }));
    }),
  );
});

test("resolveDerivation() leaves nothing to resolve", () => {
  fc.assert(
    fc.property(derivation, anyStorePath, (made, path) => {
      const resolved = resolveDerivation(made, { realised: () => path });
      assert.is(resolved.inputDerivations.size, 0);
      assert.is(
        resolved.inputSources.includes(path),
        made.inputDerivations.size > 0 || made.inputSources.includes(path),
      );
      const again = resolveDerivation(resolved, { realised: () => undefined as StorePath | undefined });
      assert.is(formatDerivation(again), formatDerivation(resolved));
    }),
  );
});

test("parseDerivation() takes time in proportion to a text of many strings without an escape", () => {
  const args = Array.from({ length: 100_000 }, (_, i) => `argument-${i}`);
  const written = `Derive([("out","","","")],[],[],"s","b",[${args.map((each) => `"${each}"`).join(",")}],[])`;
  const started = performance.now();
  assert.is(parseDerivation(written, "n").args.length, args.length);
  // Quadratic reading takes minutes.
  assert.ok(performance.now() - started < 10_000);
});

test("formatStructuredAttrs() refuses what is nested too deep", () => {
  let deep: StructuredValue = [];
  for (let i = 0; i < 10_000; i++) deep = [deep];
  assert.throws(
    () => formatStructuredAttrs(deep),
    (error: CodedError) => error.code === "derivation.structured-value",
  );
});

test("formatStructuredAttrs() is read back as what it was, and has one text", () => {
  const value = fc.letrec<{ value: StructuredValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.oneof(fc.integer(), fc.boolean(), fc.constant(null)),
      fc.string({ unit: "grapheme" }).map((each) => each.replaceAll(/[\b\f]/g, "")),
      fc.array(tie("value"), { maxLength: 3 }),
      pairs(fc.oneof(outputName, fc.string()), tie("value")).map((entries) => Object.fromEntries(entries)),
    ),
  })).value;
  const attempt = (each: StructuredValue): string | undefined => {
    try {
      return formatStructuredAttrs(each);
    } catch (error) {
      assert.is((error as CodedError).code, "derivation.structured-value");
      return undefined;
    }
  };
  fc.assert(
    fc.property(value, (made) => {
      const written = attempt(made);
      fc.pre(written !== undefined);
      const read = JSON.parse(written as string) as StructuredValue;
      assert.is(formatStructuredAttrs(read), written);
      assert.is(JSON.stringify(read).length, (written as string).length);
    }),
  );
});

test.run();

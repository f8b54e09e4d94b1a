import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, fromUtf8, toBase16, utf8 } from "../base/index.ts";
import { parseStorePath, type StorePath } from "../store/index.ts";
import {
  checkOutputPaths,
  type Derivation,
  derivationNameOf,
  derivationPath,
  downstreamPlaceholder,
  fixedOutputOf,
  formatOutputAlgorithm,
  formatDerivation,
  hashDerivationModulo,
  makeInputHashes,
  outputKind,
  parseDerivation,
  parseOutputAlgorithm,
  placeholder,
  showDerivation,
  withOutputs,
} from "./index.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const readText = (name: string): string => fromUtf8(readFileSync(join(TESTDATA, name)));
const hasCode = (code: string) => (error: CodedError) => error.code === code;

interface Fixture {
  readonly path: StorePath;
  readonly text: string;
  readonly derivation: Derivation;
  readonly shown: unknown;
}

const fixtures = new Map<string, Fixture>();
for (const file of readdirSync(TESTDATA).filter((name) => name.endsWith(".json"))) {
  const { path, shown } = JSON.parse(readText(file)) as { path: StorePath; shown: unknown };
  const text = readText(file.replace(".json", ".drv"));
  fixtures.set(file.slice(0, -".json".length), {
    path,
    text,
    derivation: parseDerivation(text, derivationNameOf(path)),
    shown,
  });
}
const get = (name: string): Fixture => fixtures.get(name) as Fixture;
const byPath = new Map([...fixtures.values()].map((fixture) => [fixture.path, fixture.derivation]));
const inputs = makeInputHashes((path) => byPath.get(path) as Derivation);

for (const [name, { path, text, derivation, shown }] of fixtures) {
  test(`${name}.drv is read, shown, written and placed as Nix does it`, () => {
    assert.is(formatDerivation(derivation), text);
    assert.is(derivationPath(derivation), path);
    assert.equal(JSON.parse(JSON.stringify(showDerivation(derivation))), shown);
    assert.equal(checkOutputPaths(derivation, { inputs }), []);
  });
}

test("bytes that are no UTF-8 survive reading and writing", () => {
  const text = readText("raw-bytes.drv");
  const derivation = parseDerivation(text, "raw-bytes");
  assert.equal([...utf8(derivation.args[0] as string)], [0xe4]);
  assert.is(formatDerivation(derivation), text);
  assert.is(derivationPath(derivation), "/nix/store/rnfplh9bqf6sdsq5yhlp7fhh34ficd1d-raw-bytes.drv");
});

test("parseDerivation() reads what formatDerivation() writes", () => {
  const text = fc.string({ unit: "binary" }).map((s) => s.replaceAll("\0", ""));
  const record = fc.dictionary(text, text);
  fc.assert(
    fc.property(text, fc.array(text), record, (builder, args, env) => {
      const outputs = { out: { path: "", hashAlgorithm: "", hash: "" } };
      const derivation: Derivation = {
        name: "n",
        outputs,
        inputDerivations: new Map(),
        inputSources: [],
        system: "s",
        builder,
        args,
        env,
      };
      const read = parseDerivation(formatDerivation(derivation), "n");
      assert.equal([read.builder, read.args], [builder, args]);
      assert.equal(new Map(Object.entries(read.env)), new Map(Object.entries(env)));
    }),
    { numRuns: 40 },
  );
});

test("two sources with the same fixed content stand for one input", () => {
  const [hex, other] = [get("fod-flat-sha256-hex"), get("fod-other-url")];
  assert.is.not(hex.path, other.path);
  assert.is(hex.derivation.outputs["out"]?.path, other.derivation.outputs["out"]?.path);
  const digests = [hex, other].map(({ path }) => toBase16(inputs(path).hashes.get("out") as Uint8Array));
  assert.is(digests[0], digests[1]);
});

test("outputs of a derivation with a floating input are deferred", () => {
  const { path } = get("ca-simple");
  assert.is(outputKind(get("ca-simple").derivation.outputs["out"] as Derivation["outputs"][string]), "floating");
  const base = {
    name: "dependent",
    inputDerivations: new Map([[path, ["out"]]]),
    inputSources: [],
    system: "x86_64-linux",
    builder: "/bin/sh",
    args: [downstreamPlaceholder(path, "out")],
    env: {},
  };
  const derivation = withOutputs(base, { kind: "input-addressed", outputs: ["out"] }, { inputs });
  assert.equal(derivation.outputs, { out: { path: "", hashAlgorithm: "", hash: "" } });
  assert.is(derivation.env["out"], "");
  assert.is(hashDerivationModulo(derivation, { masked: false, inputs }).deferred, true);
});

test("placeholder() is what builtins.placeholder gives", () => {
  // Nix 2.8: builtins.placeholder "out"
  assert.is(placeholder("out"), "/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9");
});

test("parseDerivation() refuses what is no derivation", () => {
  const good = get("env-escapes").text;
  const cases = [
    "",
    "Derive(",
    good.slice(0, -1),
    good.replace("Derive", "Derivation"),
    good.slice(0, 60),
    ` ${good}`,
    'Derive([],[],[],"s","b",[],[])',
  ];
  for (const text of cases) assert.throws(() => parseDerivation(text, "x"), hasCode("derivation.malformed"));
  assert.throws(
    () => parseDerivation(get("fod-other-url").text.replace('"sha256"', '"sha224"'), "x"),
    hasCode("derivation.hash-algorithm"),
  );
  for (const text of ["r:md4", "git:md5", "git:sha512", "text:sha1", "r:git:sha1"])
    assert.throws(() => parseOutputAlgorithm(text), hasCode("derivation.hash-algorithm"));
  assert.throws(
    () => derivationNameOf(parseStorePath("/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo")),
    hasCode("derivation.not-a-derivation"),
  );
});

test("checkOutputPaths() finds a stated path that is wrong, and a variable that differs", () => {
  const { text, derivation } = get("multi-output");
  const path = derivation.outputs["dev"]?.path as string;
  const forged = parseDerivation(
    text.replaceAll(path, path.replace("store/", "store/0").replace(/(.{43})./, "$1")),
    "t-multi-1.0",
  );
  assert.ok(checkOutputPaths(forged, { inputs }).every((fault) => fault.code === "derivation.inconsistent"));
  assert.is(checkOutputPaths(forged, { inputs }).length > 0, true);
  const bare = { ...derivation, env: { ...derivation.env, man: "elsewhere" } };
  assert.is(checkOutputPaths(bare, { inputs }).length > 0, true);
});

test("a wish for an output that does not exist is an error", () => {
  const { path } = get("multi-output");
  const base = {
    name: "x",
    inputDerivations: new Map([[path, ["lib"]]]),
    inputSources: [],
    system: "s",
    builder: "b",
    args: [],
    env: {},
  };
  assert.throws(
    () => withOutputs(base, { kind: "input-addressed", outputs: ["out"] }, { inputs }),
    hasCode("derivation.no-such-output"),
  );
});

test("output names are checked", () => {
  const base = {
    name: "x",
    inputDerivations: new Map(),
    inputSources: [],
    system: "s",
    builder: "b",
    args: [],
    env: {},
  };
  assert.throws(
    () => withOutputs(base, { kind: "input-addressed", outputs: [] }, { inputs }),
    hasCode("derivation.no-outputs"),
  );
  assert.throws(
    () => withOutputs(base, { kind: "input-addressed", outputs: ["drv"] }, { inputs }),
    hasCode("derivation.output-name"),
  );
  assert.throws(
    () => withOutputs(base, { kind: "input-addressed", outputs: ["a b"] }, { inputs }),
    hasCode("store-path.name"),
  );
});

test("parseOutputAlgorithm() and formatOutputAlgorithm() are inverse for every method", () => {
  for (const text of ["md5", "sha512", "r:sha256", "r:sha1", "git:sha1", "git:sha256", "text:sha256"]) {
    const { method, algorithm } = parseOutputAlgorithm(text);
    assert.is(formatOutputAlgorithm(method, algorithm), text);
  }
});

test("fixedOutputOf() is there for fixed outputs only", () => {
  assert.is(fixedOutputOf(get("fod-other-url").derivation)?.algorithm, "sha256");
  assert.is(fixedOutputOf(get("multi-output").derivation), undefined);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import type { StorePath } from "../store/index.ts";
import {
  completeOutputs,
  type Derivation,
  derivationPath,
  makeInputHashes,
  parseShownDerivations,
  showDerivation,
} from "./index.ts";

// Nix 2.8: nix-instantiate of two derivations, then nix show-derivation -r
const OLD = {
  "/nix/store/0hm2f1psjpcwg8fijsmr4wwxrx59s092-bar.drv": {
    outputs: {
      out: {
        path: "/nix/store/4q0pg5zpfmznxscq3avycvf9xdvx50n3-bar",
        hashAlgo: "r:sha256",
        hash: "08813cbee9903c62be4c5027726a418a300da4500b2d369d3af9286f4815ceba",
      },
    },
    inputSrcs: [],
    inputDrvs: {},
    system: ":",
    builder: ":",
    args: [],
    env: {
      builder: ":",
      name: "bar",
      out: "/nix/store/4q0pg5zpfmznxscq3avycvf9xdvx50n3-bar",
      outputHash: "08813cbee9903c62be4c5027726a418a300da4500b2d369d3af9286f4815ceba",
      outputHashAlgo: "sha256",
      outputHashMode: "recursive",
      system: ":",
    },
  },
};
const PATH = Object.keys(OLD)[0] as StorePath;
const inputs = makeInputHashes(() => {
  throw new Error("none is needed");
});

function only(json: unknown): Derivation {
  const [found, ...more] = parseShownDerivations(json);
  assert.equal(more, []);
  return (found as { derivation: Derivation }).derivation;
}

function refuses(json: unknown, code: string, words?: RegExp): void {
  try {
    parseShownDerivations(json);
  } catch (error) {
    assert.is((error as CodedError).code, code, String((error as Error).stack));
    if (words !== undefined) assert.match((error as Error).message, words);
    return;
  }
  assert.unreachable("it was accepted");
}

test("parseShownDerivations() reads what Nix 2.8 prints, and showDerivation() gives it back", () => {
  const [parsed] = parseShownDerivations(OLD);
  assert.is(parsed?.path, PATH);
  assert.equal(showDerivation(only(OLD)), OLD[PATH as keyof typeof OLD]);
  assert.is(derivationPath(only(OLD)), PATH);
});

test("parseShownDerivations() reads the later forms", () => {
  const old = OLD[PATH as keyof typeof OLD];
  const base = "4q0pg5zpfmznxscq3avycvf9xdvx50n3-bar";
  const middle = {
    ...old,
    name: "bar",
    outputs: { out: { path: old.outputs.out.path, hashAlgo: "sha256", method: "nar", hash: old.outputs.out.hash } },
  };
  const { inputSrcs, inputDrvs, ...rest } = old;
  const current = {
    version: 4,
    derivations: {
      [PATH.slice("/nix/store/".length)]: {
        ...rest,
        name: "bar",
        version: 4,
        inputs: { srcs: inputSrcs, drvs: inputDrvs },
        outputs: { out: { path: base, method: "nar", hash: "sha256-CIE8vumQPGK+TFAncmpBijANpFALLTadOvkob0gVzro=" } },
      },
    },
  };
  for (const json of [{ [PATH]: middle }, middle, current]) assert.equal(only(json), only(OLD));
});

test("parseShownDerivations() reads every method, in both spellings", () => {
  const old = OLD[PATH as keyof typeof OLD];
  for (const [method, prefix] of [
    ["git", "git:"],
    ["text", "text:"],
    ["flat", ""],
    ["nar", "r:"],
  ] as const)
    for (const out of [{ method, hashAlgo: "sha256" }, { hashAlgo: `${prefix}sha256` }]) {
      const { outputs } = only({ [PATH]: { ...old, outputs: { out } } });
      assert.equal(outputs["out"], { path: "", hashAlgorithm: `${prefix}sha256`, hash: "" });
    }
});

test("parseShownDerivations() reads inputs with and without outputs of outputs", () => {
  const drv = (wanted: unknown): object => ({
    [PATH]: { ...OLD[PATH as keyof typeof OLD], inputDrvs: { [PATH]: wanted } },
  });
  assert.equal([...only(drv(["out", "dev"])).inputDerivations], [[PATH, ["dev", "out"]]]);
  assert.equal([...only(drv({ outputs: ["out"], dynamicOutputs: {} })).inputDerivations], [[PATH, ["out"]]]);
  refuses(
    drv({ outputs: [], dynamicOutputs: { out: {} } }),
    "derivation.bad-json",
    /dynamicOutputs\.out\.outputs found nothing/,
  );
  refuses(drv({ outputs: [], dynamicOutputs: [] }), "derivation.bad-json", /dynamicOutputs found a list/);
  let deep: object = { outputs: ["out"] };
  for (let i = 0; i < 5000; i++) deep = { outputs: [], dynamicOutputs: { out: deep } };
  refuses(drv(deep), "derivation.bad-json", /more than 100/);
});

test("parseShownDerivations() puts structured attributes into their variable", () => {
  const { env } = only({
    name: "s",
    outputs: { out: {} },
    inputSrcs: [],
    inputDrvs: {},
    system: "s",
    builder: "b",
    args: [],
    env: { out: "" },
    structuredAttrs: { b: [1], a: "x" },
  });
  assert.equal(env, { out: "", __json: '{"a":"x","b":[1]}' });
});

test("parseShownDerivations() says where something is wrong", () => {
  const with_ = (change: object): object => ({ [PATH]: { ...OLD[PATH as keyof typeof OLD], ...change } });
  refuses([], "derivation.bad-json", /at the JSON found a list, expected an object/);
  refuses(with_({ args: "x" }), "derivation.bad-json", /args found a value of type string, expected a list/);
  refuses(with_({ env: { a: 1 } }), "derivation.bad-json", /env\.a found a value of type number/);
  refuses(with_({ name: "other" }), "derivation.bad-json", /found "other", expected "bar"/);
  refuses(with_({ outputs: { out: { hashAlgo: "crc" } } }), "derivation.bad-json", /hashAlgo/);
  refuses(with_({ outputs: { out: { method: "blob" } } }), "derivation.bad-json", /method/);
  refuses(with_({ outputs: { out: { method: "text" } } }), "derivation.bad-json", /hashAlgo/);
  refuses(with_({ outputs: { out: { method: "git", hashAlgo: "md5" } } }), "derivation.hash-algorithm");
  refuses({ "/nix/store/4q0pg5zpfmznxscq3avycvf9xdvx50n3-bar": {} }, "derivation.bad-json", /\.drv/);
  refuses({ elsewhere: {} }, "store-path.malformed");
});

test("completeOutputs() fills in paths that were left out, and no others", () => {
  const old = only(OLD);
  const bare = {
    ...old,
    outputs: { out: { ...old.outputs["out"], path: "" } },
    env: { ...old.env, out: "" },
  } as Derivation;
  assert.equal(completeOutputs(bare, { inputs }), old);
  assert.is(completeOutputs(old, { inputs }), old);
  const plain = { ...old, outputs: { out: { path: "", hashAlgorithm: "", hash: "" } }, env: { name: "bar" } };
  const complete = completeOutputs(plain, { inputs });
  assert.match(complete.outputs["out"]?.path ?? "", /-bar$/);
  assert.is(complete.env["out"], complete.outputs["out"]?.path);
});

test.run();

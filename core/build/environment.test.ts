import { test } from "uvu";
import * as assert from "uvu/assert";
import { utf8 } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";
import type { StorePath } from "../store/index.ts";
import { buildEnvironment } from "./environment.ts";
import type { GraphSource } from "./reference-graph.ts";

// What Nix gives a builder is compared in tools/conformance (build-environment.json); here is what those vectors do not hold.
const emptyGraph: GraphSource = {
  infoOf: () => undefined,
  closure: (paths) => paths,
  readDerivation: () => plain,
};

const plain: Derivation = {
  name: "t",
  outputs: { out: { path: "/nix/store/yx89yzbrnnk9p6vsak4r0z299dw4wq6q-t", hashAlgorithm: "", hash: "" } },
  inputDerivations: new Map(),
  inputSources: [],
  system: "x86_64-linux",
  builder: "/bin/sh",
  args: [],
  env: {},
};
const options = { inputClosure: [], graph: emptyGraph, cores: 1, callerEnvironment: {} };

test("buildEnvironment() replaces placeholders in arguments, values and files", () => {
  // Conformance vectors, derivations.json, "placeholders".
  const out = "/1rz4g4znpzjwh1xymhjpm42vipw92pr73vdgl6xs1hycac8kf2n9";
  const drv = { ...plain, args: [`--prefix=${out}`], env: { a: `${out}/lib`, text: `in ${out}`, passAsFile: "text" } };
  const made = buildEnvironment({ drv, ...options });
  assert.equal(made.args, ["--prefix=/nix/store/yx89yzbrnnk9p6vsak4r0z299dw4wq6q-t"]);
  assert.is(new Map(made.environment).get("a"), "/nix/store/yx89yzbrnnk9p6vsak4r0z299dw4wq6q-t/lib");
  assert.equal(Object.values(made.files), ["in /nix/store/yx89yzbrnnk9p6vsak4r0z299dw4wq6q-t"]);
});

test("buildEnvironment() reads no caller's variable for a derivation without a declared hash", () => {
  const made = buildEnvironment({
    drv: { ...plain, env: { impureEnvVars: "SECRET" } },
    ...options,
    callerEnvironment: { SECRET: "s" },
  });
  assert.is(new Map(made.environment).has("SECRET"), false);
});

test("buildEnvironment() refuses a malformed exportReferencesGraph", () => {
  const drv = { ...plain, env: { exportReferencesGraph: "../etc /nix/store/yx89yzbrnnk9p6vsak4r0z299dw4wq6q-t" } };
  assert.throws(
    () => buildEnvironment({ drv, ...options }),
    (error: { code?: string }) => error.code === "build.graph-malformed",
  );
});

test("buildEnvironment() refuses the graph of a path that is no input", () => {
  const drv = { ...plain, env: { exportReferencesGraph: "g /nix/store/2gs74mzf7qwz9qi1gg9mm0zawj666i9n-dep" } };
  assert.throws(
    () => buildEnvironment({ drv, ...options }),
    (error: { code?: string }) => error.code === "build.graph-not-input",
  );
});

test("buildEnvironment() refuses the graph of an input that is not valid", () => {
  const path = "/nix/store/2gs74mzf7qwz9qi1gg9mm0zawj666i9n-dep" as StorePath;
  const drv = { ...plain, env: { exportReferencesGraph: `g ${path}` } };
  const made = (): unknown => buildEnvironment({ drv, ...options, inputClosure: [path], graph: emptyGraph });
  assert.throws(made, (error: { code?: string }) => error.code === "build.graph-not-valid");
});

test("buildEnvironment() keeps bytes that are not UTF-8", () => {
  const made = buildEnvironment({ drv: { ...plain, env: { b: "\udcff" } }, ...options });
  assert.equal([...utf8(new Map(made.environment).get("b") ?? "")], [0xff]);
});

test.run();

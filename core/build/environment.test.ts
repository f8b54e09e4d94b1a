import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseHash, utf8 } from "../base/index.ts";
import { type Derivation, parseDerivation } from "../derivation/index.ts";
import type { PathInfo, StorePath } from "../store/index.ts";
import { buildEnvironment } from "./environment.ts";
import type { GraphSource } from "./reference-graph.ts";

// Made with Nix 2.8.0; see the header of the file.
const vectors = JSON.parse(readFileSync(new URL("testdata/build-environment.json", import.meta.url), "utf8")) as {
  settings: { cores: number; callerEnvironment: Record<string, string> };
  cases: {
    name: string;
    drvPath: StorePath;
    drv: string;
    environment: Record<string, string>;
    environmentOrder: string[];
    files: Record<string, string>;
    pathInfos?: { path: StorePath; narHash: string; narSize: number; references: StorePath[]; ca?: string }[];
  }[];
};

function graphSource(infos: readonly PathInfo[]): GraphSource {
  const byPath = new Map(infos.map((info) => [info.path, info]));
  return {
    infoOf: (path) => byPath.get(path),
    closure(paths) {
      const seen = new Set<StorePath>();
      const queue = [...paths];
      for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
        if (seen.has(path)) continue;
        seen.add(path);
        queue.push(...(byPath.get(path)?.references ?? []));
      }
      return [...seen];
    },
    // The one derivation in the vectors' graphs is that of "dep".
    readDerivation: () =>
      ({ outputs: { out: { path: "/nix/store/2gs74mzf7qwz9qi1gg9mm0zawj666i9n-dep" } } }) as unknown as Derivation,
  };
}

for (const vector of vectors.cases) {
  test(`buildEnvironment() gives what Nix gives: ${vector.name}`, () => {
    const drv = parseDerivation(vector.drv, vector.name);
    const infos = (vector.pathInfos ?? []).map((info) => ({
      ...info,
      narHash: parseHash(info.narHash),
      signatures: [],
    }));
    const made = buildEnvironment({
      drv,
      inputClosure: infos.map((info) => info.path),
      graph: graphSource(infos),
      cores: vectors.settings.cores,
      callerEnvironment: vectors.settings.callerEnvironment,
    });
    const expected = { ...vector.environment };
    // Nix builds a fixed output under a scratch path of its own choice; in our sandbox every output has its final one.
    if (vector.name === "fixed") expected["out"] = drv.outputs["out"]?.path ?? "";
    assert.equal(Object.fromEntries(made.environment), expected);
    assert.equal(
      made.environment.map(([name]) => name),
      vector.environmentOrder,
    );
    assert.equal(made.files, vector.files);
    assert.equal(made.builder, drv.builder);
  });
}

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
const options = { inputClosure: [], graph: graphSource([]), cores: 1, callerEnvironment: {} };

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
  const made = (): unknown =>
    buildEnvironment({ drv, ...options, inputClosure: [path], graph: { ...graphSource([]), closure: () => [path] } });
  assert.throws(made, (error: { code?: string }) => error.code === "build.graph-not-valid");
});

test("buildEnvironment() keeps bytes that are not UTF-8", () => {
  const made = buildEnvironment({ drv: { ...plain, env: { b: "\udcff" } }, ...options });
  assert.equal([...utf8(new Map(made.environment).get("b") ?? "")], [0xff]);
});

test.run();

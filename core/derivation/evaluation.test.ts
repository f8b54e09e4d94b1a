import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../base/index.ts";
import { makeSourcePath } from "../store/index.ts";
import {
  beginEvaluation,
  contextOf,
  currentEvaluation,
  derivation,
  type Evaluation,
  local,
  parseDerivation,
  registerSource,
  type SourceHost,
  toFile,
} from "./index.ts";

const SHELL = { system: "x86_64-linux", builder: "/bin/sh" };
const hasCode = (code: string) => (error: CodedError) => error.code === code;

/** A host with one tree of two files, counting how often it is asked. */
function countingHost(): SourceHost & { asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    hashTree(path, filter) {
      asked.push(path);
      const kept = ["a.txt", "b.o"].filter((name) => filter === undefined || filter(name, "file"));
      return { narHash: hashBytes("sha256", path + kept.join()), narSize: 1 };
    },
  };
}

test("no evaluation has begun: a clear error", () => {
  assert.throws(() => currentEvaluation(), hasCode("evaluation.not-begun"));
  assert.throws(() => derivation({ name: "x", ...SHELL }), hasCode("evaluation.not-begun"));
});

let evaluation: Evaluation;
let host: ReturnType<typeof countingHost>;
test.before.each(() => {
  host = countingHost();
  if (evaluation !== undefined) evaluation = beginEvaluation(host);
});

test("derivation() agrees with nix-instantiate", () => {
  evaluation = beginEvaluation(host);
  // Nix 2.8: nix-instantiate of the same three derivations, written as
  // a = derivation { name = "a"; args = [ "-c" "echo $t > $out; echo > $dev" t ]; inherit t; n = 1; … outputs = [ "out" "dev" ]; … }
  const t = toFile("t.txt", "hello\n");
  const a = derivation({
    name: "a",
    ...SHELL,
    args: ["-c", "echo $t > $out; echo > $dev", t],
    env: { t, n: 1, yes: true, no: false, list: ["a", ["b", []], "c"] },
    outputs: ["out", "dev"],
  });
  const fixed = { method: "flat" as const, hash: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" };
  const f = derivation({
    name: "f",
    system: "builtin",
    builder: "builtin:fetchurl",
    env: { url: "http://x/y", outputHashAlgo: "" },
    fixed,
  });
  const b = derivation({
    name: "b",
    system: SHELL.system,
    builder: `${f}`,
    env: { a: `${a}/bin`, dev: a.outputs["dev"], drv: a.drvPath },
  });
  assert.is(a.drvPath, "/nix/store/yg5ly80fzhvn2mwf2ckfcr5z8q7nbbpm-a.drv");
  assert.is(f.drvPath, "/nix/store/rwgbkgf5z8m4wxfwxnkh3ybzfr4500xx-f.drv");
  // b mentions a.drvPath: the closure of that file and all its outputs are inputs too.
  assert.is(b.drvPath, "/nix/store/ynz9x3vagfvlz9afgbin1dncrjrwphh2-b.drv");
  assert.equal([...evaluation.derivations.keys()], [a.drvPath, f.drvPath, b.drvPath]);
});

test("whatever a string went through, its dependency is found", () => {
  const zlib = derivation({ name: "zlib", ...SHELL, outputs: ["out", "dev"] });
  const text = `-I${zlib.outputs["dev"]}/include:${zlib}`.toUpperCase().toLowerCase().split(":").reverse().join(" ");
  assert.equal(contextOf(text), { derivations: new Map([[zlib.drvPath, ["out", "dev"]]]), nested: [], sources: [] });
  const digestOnly = zlib.outPath.slice(11, 43);
  assert.equal([...contextOf(`x${digestOnly}y`).derivations.keys()], [zlib.drvPath]);
});

test("objects in env become their text; undefined is left out", () => {
  const tool = derivation({ name: "tool", ...SHELL });
  const { drvPath } = derivation({
    name: "user",
    ...SHELL,
    env: { tool, tools: [tool, null, "x"], gone: undefined, half: 0.5, big: 2n ** 60n },
  });
  const { env, inputDerivations } = parseDerivation(evaluation.derivations.get(drvPath) as string, "user");
  assert.equal(env["tools"], `${tool.outPath}  x`);
  assert.equal(
    [env["tool"], env["half"], env["big"], "gone" in env],
    [tool.outPath, "0.500000", "1152921504606846976", false],
  );
  assert.equal([...inputDerivations.keys()], [tool.drvPath]);
});

test("fixed outputs get their variables, in the author's spelling", () => {
  const hash = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
  const { drvPath } = derivation({ name: "f", ...SHELL, fixed: { method: "recursive", hash } });
  const { env, outputs } = parseDerivation(evaluation.derivations.get(drvPath) as string, "f");
  assert.equal([env["outputHash"], env["outputHashAlgo"], env["outputHashMode"]], [hash, "sha256", "recursive"]);
  assert.is(outputs["out"]?.hashAlgorithm, "r:sha256");
  assert.throws(
    () => derivation({ name: "f", ...SHELL, outputs: ["out", "dev"], fixed: { method: "flat", hash } }),
    hasCode("derivation.fixed-outputs"),
  );
});

test("structured attributes are JSON with sorted keys, and their strings are scanned", () => {
  const tool = derivation({ name: "tool", ...SHELL });
  const { drvPath } = derivation({
    name: "s",
    ...SHELL,
    env: { z: "é" },
    structuredAttrs: { a: { tool, list: [1, true, null, undefined] } },
  });
  const { env, inputDerivations } = parseDerivation(evaluation.derivations.get(drvPath) as string, "s");
  assert.is(
    env["__json"],
    `{"a":{"list":[1,true,null],"tool":"${tool}"},"builder":"/bin/sh","name":"s","system":"x86_64-linux","z":"é"}`,
  );
  assert.equal([...inputDerivations.keys()], [tool.drvPath]);
  for (const value of [0.5, "\b", 2 ** 60]) {
    assert.throws(
      () => derivation({ name: "s", ...SHELL, structuredAttrs: { value } }),
      hasCode("derivation.structured-value"),
    );
  }
});

test("a store path nobody made is an error at the caller's line", () => {
  const path = "/nix/store/vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo";
  assert.throws(
    () => derivation({ name: "x", ...SHELL, env: { src: `see ${path}/bin` } }),
    (error: CodedError) =>
      error.code === "derivation.unknown-reference" &&
      error.message.includes('variable "src" of "x"') &&
      error.at?.file === import.meta.filename,
  );
});

test("values without a text are refused", () => {
  for (const value of [{}, () => 1, Symbol("s"), Number.NaN, "a\0b", [{ a: 1 }]]) {
    assert.throws(() => derivation({ name: "x", ...SHELL, env: { value } }), hasCode("derivation.bad-value"));
  }
});

test("toFile() knows its references and refuses outputs", () => {
  const a = toFile("a", "x");
  const b = toFile("b", `see ${a}`);
  assert.equal(evaluation.sources.get(b), { kind: "text", name: "b", contents: `see ${a}`, references: [a] });
  const tool = derivation({ name: "tool", ...SHELL });
  assert.throws(() => toFile("c", `${tool}`), hasCode("derivation.text-refers-to-output"));
});

test("local() reads nothing until its path is asked for, and then once", () => {
  const source = local("./testdata", { name: "data", filter: (relative) => relative.endsWith(".txt") });
  assert.is(source.path, `${import.meta.dirname}/testdata`);
  assert.equal(host.asked, []);
  const { drvPath } = derivation({ name: "x", ...SHELL, env: { source, again: `${source}/a.txt` } });
  assert.equal(host.asked, [source.path]);
  const path = `${source}`;
  assert.equal(evaluation.sources.get(path), { kind: "tree", name: "data", from: source.path, files: ["a.txt"] });
  assert.equal(parseDerivation(evaluation.derivations.get(drvPath) as string, "x").inputSources, [path]);
});

test("local() says where it was written when its tree cannot be read", () => {
  beginEvaluation({
    hashTree() {
      throw new Error("no such thing");
    },
  });
  const source = local("../nowhere");
  assert.throws(
    () => `${source}`,
    (error: CodedError) => error.code === "source.unreadable" && error.at?.file === import.meta.filename,
  );
  assert.throws(() => local("./a b"), hasCode("store-path.name"));
});

test("local() in code without a file needs an absolute path", () => {
  const call = new Function("local", "path", "return local(path)") as (
    make: typeof local,
    path: string,
  ) => { path: string };
  assert.throws(() => call(local, "./x"), hasCode("source.no-caller"));
  assert.is(call(local, "/a/./b/../c").path, "/a/c");
});

test("registerSource() makes the tree of an input known", () => {
  const path = makeSourcePath("source", hashBytes("sha256", "x"));
  assert.throws(() => contextOf(`${path}/x`), hasCode("derivation.unknown-reference"));
  registerSource(path, { kind: "tree", name: "source", from: "/somewhere" });
  assert.equal(contextOf(`${path}/x`).sources, [path]);
});

test("derivation() makes outputs that are addressed by their content, and finds them in strings", () => {
  const evaluation = beginEvaluation(countingHost());
  const shell = { system: "x86_64-linux", builder: "/bin/sh" };
  const plain = derivation({ name: "ca-plain-one", ...shell, args: ["-c", "echo one > $out"], contentAddressed: true });
  // Nix 2.8: builtins.derivation with __contentAddressed, outputHashMode "recursive", outputHashAlgo "sha256"
  assert.is(plain.drvPath, "/nix/store/bm5b0v9f53dcx99zky5a49pay45vq1ck-ca-plain-one.drv");
  assert.is(plain.outPath, "/11ww374mlm67k6dwgyp2lcy1qf0v45hjwz2lnj9z7gjbxcvslhnv");
  const input = derivation({ name: "ia-one", ...shell, args: ["-c", "echo ia > $out"] });
  const deferred = derivation({ name: "def-one", ...shell, args: ["-c", `echo ${plain} ${input} > $out`] });
  assert.is(deferred.drvPath, "/nix/store/flsai0yzhja3pzd3h87bn5r3xxys5hd8-def-one.drv");
  assert.match(deferred.outPath, /^\/[0-9a-z]{52}$/);
  const flat = { method: "flat", algorithm: "sha256" } as const;
  const last = derivation({ name: "last", ...shell, args: [`${deferred.outPath}/x`], contentAddressed: flat });
  const drv = parseDerivation(evaluation.derivations.get(last.drvPath) as string, "last");
  assert.equal([...drv.inputDerivations], [[deferred.drvPath, ["out"]]]);
  assert.equal(drv.outputs["out"], { path: "", hashAlgorithm: "sha256", hash: "" });
});

test("derivation() refuses a fixed content that is addressed by its content", () => {
  beginEvaluation(countingHost());
  const fixed = { method: "flat", hash: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" } as const;
  assert.throws(
    () => derivation({ name: "x", system: "s", builder: "b", fixed, contentAddressed: true }),
    (error: CodedError) => error.code === "derivation.fixed-outputs",
  );
});

test.run();

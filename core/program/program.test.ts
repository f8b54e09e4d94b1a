import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, hashBytes } from "../base/index.ts";
import { beginEvaluation, currentEvaluation, derivation, type ModuleTree } from "../derivation/index.ts";
import { defineProgram, type Program, programDerivation, type ProgramDerivationOptions } from "./index.ts";

const test = suite("core/program");

const FILE = import.meta.filename;
const FOLDER = FILE.slice(0, FILE.lastIndexOf("/"));

/** A host that finds this file with these imports. */
function begin(others: ModuleTree["others"] = []): void {
  const tree = { root: FOLDER, files: ["program.test.ts", "lib"], narHash: hashBytes("sha256", "tree"), others };
  const hashTree = () => ({ narHash: hashBytes("sha256", "runner"), narSize: 1 });
  beginEvaluation({ hashTree, hashModules: () => tree });
}

const program = defineProgram<{ readonly title: string }>(({ inputs, out, write }) => write(out, inputs.title));

const derive = (
  given: Partial<ProgramDerivationOptions> = {},
  of: Program<never> = program as unknown as Program<never>,
) =>
  programDerivation(of, {
    name: "page",
    inputs: {},
    system: "x86_64-linux",
    node: "/node",
    runner: "/runner.mts",
    at: () => ({ file: "/flake.config.ts", line: 7, column: 3 }),
    ...given,
  });

const codeAt = (code: string, at: object | undefined) => (error: CodedError) => {
  assert.is(error.code, code);
  assert.equal(error.at, at);
  return true;
};

test("defineProgram() remembers its file, and runs nothing", () => {
  assert.is(program.at?.file, FILE);
  const never = defineProgram(() => assert.unreachable("it ran while evaluating"));
  assert.is(never.kind, "program");
});

test("defineProgram() refuses what is written in no file", () => {
  const define = new Function("defineProgram", "return defineProgram(() => {});\n//# sourceURL=/@expression");
  assert.throws(
    () => define(defineProgram),
    (error: CodedError) => error.code === "source.no-caller",
  );
});

test("programDerivation() ships the files of the program, under one name", () => {
  begin();
  const { builder, args = [] } = derive();
  assert.is(builder, "/node/bin/node");
  assert.match(String(args[1]), /^\/nix\/store\/.{32}-program$/);
  assert.is(args[2], "program.test.ts");
  const [source] = currentEvaluation().sources.values();
  assert.equal(source, { kind: "tree", name: "program", from: FOLDER, files: ["lib", "program.test.ts"] });
});

test("programDerivation() says the same whatever the order of inputs, and depends on the paths among them", () => {
  begin();
  const dependency = derivation({ name: "dependency", system: "x86_64-linux", builder: "/bin/sh" });
  const inputsOf = (inputs: object) => derive({ inputs }).env?.["inputs"];
  const list = [dependency, { z: 1.5, a: null }];
  assert.is(inputsOf({ list, title: "x" }), inputsOf({ title: "x", list }));
  assert.is(inputsOf({ title: "x", list }), `{"list":["${dependency}",{"a":null,"z":1.5}],"title":"x"}`);
  const { drvPath } = derivation(derive({ inputs: { list } }));
  assert.match(currentEvaluation().derivations.get(drvPath) ?? "", dependency.drvPath);
});

test("programDerivation() keeps further variables, also those that come as files", () => {
  begin();
  const { env, outputs } = derive({ env: { passAsFile: "text", text: "x" }, outputs: ["doc", "out"] });
  assert.equal(env?.["passAsFile"], ["inputs", "text"]);
  assert.is(env?.["text"], "x");
  assert.equal(outputs, ["doc", "out"]);
});

test("programDerivation() tells of what is wrong where it is asked for, and of imports where they stand", () => {
  begin();
  const asked = { file: "/flake.config.ts", line: 7, column: 3 };
  for (const wrong of [() => {}, null, { ...program }])
    assert.throws(() => derive({}, wrong as never), codeAt("program.not-a-program", asked));
  assert.throws(() => derive({ inputs: { run: () => {} } }), codeAt("derivation.bad-value", asked));
  const at = { file: FILE, line: 2, column: 20 };
  begin([
    { name: "#floe/program", at },
    { name: "#floe/module", at },
  ]);
  assert.throws(() => derive(), codeAt("source.foreign-import", at));
  beginEvaluation({
    hashTree: () => {
      throw new Error("no tree is expected");
    },
  });
  assert.throws(() => derive(), codeAt("source.missing", program.at));
});

test.run();

import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { floeCommand, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";
import { completionTarget, readInput } from "./read-input.ts";

const folder = temporaryDirectory();
writeFlake(folder, 'hello: shell("hello", "echo hello > $out"),');
const home = temporaryDirectory();
mkdirSync(join(home, ".config/floe"), { recursive: true });
writeFileSync(join(home, ".config/floe/settings.json"), '{ "evaluationTimeout": 20 }');
const store = temporaryDirectory();

/** Type lines into the program, and read what it says. */
function type(...lines: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return typeIn(folder, lines);
}

function typeIn(
  cwd: string,
  lines: readonly string[],
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [...floeCommand(), "repl", "--store", store], {
    cwd,
    env: {
      ...process.env,
      NO_COLOR: "1",
      HOME: home,
      XDG_CONFIG_HOME: undefined,
      XDG_STATE_HOME: undefined,
      EDITOR: "echo",
    },
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  child.stdin.end(`${lines.join("\n")}\n`);
  return new Promise((resolve) => child.on("close", (code) => resolve({ code, ...said })));
}

test("repl prints values, keeps declarations, and reads on while a bracket is open", async () => {
  const { code, stdout, stderr } = await type("const n: number = 40", "n + (", "2)", "Object.keys(pkgs)", "pkgs.hello");
  assert.is(code, 0, stderr);
  assert.match(stdout, /^42\n\[\n {2}"hello",\n\]\n<derivation \/nix\/store\/.*-hello\.drv>\n$/);
});

test("repl goes on after errors, crashes and expressions that do not end", async () => {
  const { stdout, stderr } = await type(
    "(pkgs as any).x.y",
    "(() => { for (;;) {} })()",
    ":nothing",
    "1 + 1",
    ":q",
    "3",
  );
  assert.match(stderr, /^<expression>:1:17: error: .*reading 'y'/m);
  assert.match(stderr, "[evaluation.timeout]");
  assert.match(stderr, "[repl.unknown-command]");
  assert.is(stdout, "2\n");
});

test("repl :b builds, :r reads the flake again, :e opens it, :? tells the commands", async () => {
  const { stdout, stderr } = await type(":b pkgs.hello", ":r", ":e pkgs.hello", ":e systems.web.config.a", ":?");
  const [, path = ""] = /^(\/nix\/store\/.*-hello)$/m.exec(stdout) ?? [];
  assert.is(readFileSync(join(store, path), "utf8"), "hello\n", stderr);
  assert.match(stderr, `Read ${folder} again`);
  const lines = readFileSync(join(folder, "flake.config.ts"), "utf8").split("\n");
  const line = lines.findIndex((each) => each.includes("hello: shell(")) + 1;
  assert.ok(line > 1);
  assert.match(stdout, `+${line} ${folder}/flake.config.ts`);
  assert.match(stdout, /^:b EXPRESSION/m);
});

test("repl :e opens where an option got its value, and :t tells a type", async () => {
  const text = `import { defineFlake } from "#floe/flake";
import { declare, defineModule, evaluateModules, option } from "#floe/module";
const web = defineModule(declare("services.web", { port: option.port({ default: 80 }) }));
export default defineFlake({
  outputs() {
    const evaluated = evaluateModules({
      modules: [web], config: { services: { web: { port: 81 } } } as never });
    return { systems: { box: { kind: "system", name: "box", evaluated } as never } };
  },
});
`;
  const cwd = temporaryDirectory();
  writeFileSync(join(cwd, "flake.config.ts"), text);
  const lines = [":e systems.box.config.services.web.port", ":e systems.box.config.services.web.x", ':t [1, "a"]'];
  const { stdout, stderr } = await typeIn(cwd, lines);
  assert.match(stdout, `+7 ${cwd}/flake.config.ts\n`, stderr);
  assert.match(stderr, "[repl.no-place]");
  assert.match(stdout, "(string | number)[]");
});

test("repl :t tells types of a flake that has no settings for the compiler, and what is wrong with an expression", async () => {
  const { stdout, stderr } = await type("const n = 40", ":t ({ n })", ":t pkgs.hello", ":t nothing", ":t (");
  assert.match(stdout, /^\{\n {4}n: number;\n\}\nDerivationValue\n$/);
  assert.match(
    stderr,
    /^<expression>:1:1: error: Cannot tell the type: Cannot find name 'nothing'\. \[flake\.type-error\]/m,
  );
  assert.match(stderr, /^<expression>:1:2: error: Cannot tell the type: Expression expected\./m);
});

test("readInput() tells commands, declarations, expressions and what is not complete", () => {
  assert.equal(readInput("  "), { kind: "nothing" });
  assert.equal(readInput(":b  a.b "), { kind: "command", name: "b", rest: "a.b" });
  assert.equal(readInput("const a = 1"), { kind: "declaration", text: "const a = 1" });
  assert.equal(readInput("constant;"), { kind: "expression", text: "constant" });
  for (const open of ["f(", "{ a: [", "`a ${b", "/* a", "const a = {"])
    assert.is(readInput(open).kind, "incomplete", open);
  for (const whole of ['")" + "("', "`{(`", "f() // (", "`${a}`", "a.b"])
    assert.is(readInput(whole).kind, "expression", whole);
});

test("completionTarget() finds the value whose members are meant", () => {
  assert.equal(completionTarget("f(systems.web.na"), { of: "systems.web", begin: "na" });
  assert.equal(completionTarget("sys"), { of: "", begin: "sys" });
  assert.equal(completionTarget('packages["x86_64-linux"].he'), { of: 'packages["x86_64-linux"]', begin: "he" });
  assert.equal(completionTarget("1 + "), { of: "", begin: "" });
});

test.run();

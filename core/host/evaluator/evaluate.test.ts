import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { evaluate } from "./evaluate.ts";
import { ask, errorOf, flakeIn, flakeText, makeFolder } from "./testing.ts";

const DERIVATION = 'import { derivation, local, toFile } from "#floe/derivation";';
const make = (name: string, env = ""): string =>
  `derivation({ name: "${name}", system: "x86_64-linux", builder: "/bin/sh", env: { ${env} } })`;

test("evaluate() gives value, context and a plan with only what the value needs", async () => {
  const outputs = `{ packages: { "x86_64-linux": {
    get hello() { return ${make("hello", 'src: local("./src"), text: toFile("note", "n"), other: `${this.other}/x`')}; },
    get other() { return ${make("other")}; },
    get unused() { return ${make("unused")}; },
    get broken() { throw new Error("never asked for"); },
  } }, all: [] }`;
  const folder = makeFolder({ "flake.config.ts": flakeText(outputs, DERIVATION), "src/a": "a" });
  const { attribute, value, context, plan, filesRead } = await ask(flakeIn(folder), "hello");
  assert.is(attribute, "packages.x86_64-linux.hello");
  const { type, name, drvPath, outPath } = value as Record<string, string>;
  assert.equal([type, name], ["derivation", "hello"]);
  assert.match(outPath as string, /^\/nix\/store\/.{32}-hello$/);
  assert.equal(context, [{ drvPath, outputs: ["out"] }]);
  assert.equal(plan.roots, [drvPath]);
  assert.equal(
    plan.derivations.map(({ path }) => path.slice(44)),
    ["other.drv", "hello.drv"],
  );
  assert.equal(plan.sources.map((source) => [source.kind, source.name]).sort(), [
    ["text", "note"],
    ["tree", "src"],
  ]);
  assert.ok(filesRead.some((file) => file.path === `${folder}/flake.config.ts`));
});

test("evaluate() finds the dependencies of a plain string", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText(`{ line: \`\${${make("hello")}}/bin/hello --flag\` }`, DERIVATION),
  });
  const { value, context, plan } = await ask(flakeIn(folder), "line");
  assert.ok((value as string).endsWith("-hello/bin/hello --flag"));
  assert.equal(
    context.map(({ outputs }) => outputs),
    [["out"]],
  );
  assert.is(plan.derivations.length, 1);
});

test("evaluate() lists names without making what they name", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText('{ data: { get b() { throw new Error("made"); }, a: 1 } }'),
  });
  const result = await evaluate({
    flake: flakeIn(folder),
    question: { want: "names", attribute: "data", candidates: [["data"]] },
  });
  assert.is(result.kind, "value");
  assert.equal(result.kind === "value" && result.value, ["a", "b"]);
});

test("evaluate() imports JSON with its type", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText("{ pins }", 'import pins from "./pins.json" with { type: "json" };'),
    "pins.json": '{ "a": [1] }',
  });
  assert.equal((await ask(flakeIn(folder), "pins")).value, { a: [1] });
});

test("evaluate() takes a text that would be JavaScript, too, for TypeScript", async () => {
  // As JavaScript the first member compares twice, and gives false.
  const head = "const pick = (value) => value;\nconst text = 0;";
  const folder = makeFolder({ "flake.config.ts": flakeText('{ a: [pick<text>("yes"), 1 <= 2] }', head) });
  assert.equal((await ask(flakeIn(folder), "a")).value, ["yes", true]);
});

test("evaluate() names what is near a missing attribute", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText('{ packages: { "x86_64-linux": { hello: 1 } }, systems: { web: 2 } }'),
  });
  const error = await errorOf(ask(flakeIn(folder), "helo"));
  assert.is(error.code, "flake.attribute-missing");
  assert.is(error.hint, 'Did you mean "hello"?');
  assert.equal(error.details, ["near: packages.x86_64-linux.hello"]);
  assert.is((await ask(flakeIn(folder), "web")).attribute, "systems.web");
});

test("evaluate() names what is missing where another command has it, and how to write a formatter", async () => {
  const shells = '{ devShells: { "x86_64-linux": { default: 1, web: 2 } } }';
  const flake = flakeIn(makeFolder({ "flake.config.ts": flakeText(shells) }));
  const hintOf = async (attribute: string) => (await errorOf(ask(flake, attribute))).hint;
  const whole = "devShells.x86_64-linux";
  assert.is(
    await hintOf(""),
    `There is ${whole}.default: use it with \`floe develop\`, or name it whole: .#${whole}.default`,
  );
  assert.is(
    await hintOf("web"),
    `There is ${whole}.web: use it with \`floe develop .#web\`, or name it whole: .#${whole}.web`,
  );
  assert.is(await hintOf("nothing"), "See all of them with: floe flake show");
  assert.match((await hintOf("formatter.x86_64-linux")) ?? "", 'formatter: { "x86_64-linux": pkgs.NAME }');
});

test("evaluate() does not take what every object has for an output", async () => {
  const folder = makeFolder({ "flake.config.ts": flakeText("{ a: 1 }") });
  assert.is((await errorOf(ask(flakeIn(folder), "toString"))).code, "flake.attribute-missing");
});

test("evaluate() shows a type error of the configuration at its own line", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText("{ get a() { return broken(); } }", 'import { broken } from "./lib.ts";'),
    "lib.ts": "const none = undefined as any;\nexport function broken() {\n  return none.thing;\n}\n",
  });
  const error = await errorOf(ask(flakeIn(folder), "a"));
  assert.is(error.code, "evaluation.failed");
  assert.is(error.message, `Cannot evaluate "a": TypeError: Cannot read properties of undefined (reading 'thing')`);
  assert.equal(error.at, { file: `${folder}/lib.ts`, line: 3, column: 15 });
  assert.ok(
    error.details?.every((line) => line.includes(folder)),
    "frames of the engine are folded",
  );
});

test("evaluate() shows an error of the engine at the line of its caller", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText(`{ get a() { return ${make("bad name")}; } }`, DERIVATION),
  });
  const error = await errorOf(ask(flakeIn(folder), "a"));
  assert.is(error.code, "store-path.name");
  assert.is(error.at?.line, 5);
});

for (const [name, text, line, column, expected] of [
  ["a slip in the types", "const a = 1;\nlet b: = 3;\n", 2, 8, "let b: = 3;"],
  ["a name declared twice", "const a = 1;\nconst a = 2;\n", 2, 7, "const a = 2;"],
  ["an end that comes too early", "const a = 1;\nexport default (", 2, 17, "export default ("],
  ["a brace that stays open", "export default {\n  a: 1,\n\n", 2, 8, "  a: 1,"],
  ["an enum", "const a = 1;\n  enum X { A }\n", 2, 3, "  enum X { A }"],
  ["a missing export", 'import {\n  nothing } from "./empty.ts";\n', 2, 3, '  nothing } from "./empty.ts";'],
] as const) {
  test(`evaluate() shows ${name} with file, line, column and caret`, async () => {
    const folder = makeFolder({
      "flake.config.ts": flakeText("{ a: 1 }", 'import "./lib.ts";'),
      "lib.ts": text,
      "empty.ts": "export const some = 1;\n",
    });
    const error = await errorOf(ask(flakeIn(folder), "a"));
    assert.is(error.code, "evaluation.syntax");
    assert.equal(error.at, { file: `${folder}/lib.ts`, line, column });
    assert.is(error.details?.[0], expected);
    assert.is(error.details?.[1]?.indexOf("^"), column - 1);
  });
}

test("evaluate() refuses to wait outside of a function", async () => {
  const folder = makeFolder({ "flake.config.ts": flakeText("{ a: 1 }", "await 1;") });
  const error = await errorOf(ask(flakeIn(folder), "a"));
  assert.is(error.code, "evaluation.top-level-await");
  assert.is(error.at?.line, 2);
});

test("evaluate() refuses functions, loops and promises as values, at their keys", async () => {
  const text = flakeText("{ f: { g: () => 1 }, get loop() { const a: any = {}; a.a = a; return a; }, n: Number.NaN }");
  const folder = makeFolder({ "flake.config.ts": text });
  const line = text.split("\n").findIndex((each) => each.includes("loop")) + 1;
  for (const [attribute, key] of [
    ["f", "f:"],
    ["loop", "loop("],
    ["n", "n:"],
  ] as const) {
    const { code, at } = await errorOf(ask(flakeIn(folder), attribute));
    assert.is(code, "evaluation.not-json", attribute);
    const column = (text.split("\n")[line - 1] as string).indexOf(` ${key}`) + 2;
    assert.equal(at, { file: `${folder}/flake.config.ts`, line, column }, attribute);
  }
});

for (const [name, text] of [
  ["no default export", "export const a = 1;\n"],
  ["outputs that are no function", "export default { outputs: {} };\n"],
  ["a misspelt key", 'export default { descripton: "x", outputs: () => ({}) };\n'],
  ["a misspelt key of an input", 'export default { inputs: { a: { ulr: "x" } }, outputs: () => ({}) };\n'],
  ["outputs that are a promise", "export default { outputs: async () => ({}) };\n"],
] as const) {
  test(`evaluate() refuses a flake with ${name}`, async () => {
    const folder = makeFolder({ "flake.config.ts": text });
    assert.is((await errorOf(ask(flakeIn(folder), "a"))).code, "flake.malformed");
  });
}

test("evaluate() refuses outputs that need themselves to be made", async () => {
  const config = "export default { outputs: ({ self }: any) => ({ a: 1, b: self.a }) };\n";
  const folder = makeFolder({ "flake.config.ts": config });
  assert.is((await errorOf(ask(flakeIn(folder), "b"))).code, "flake.outputs-cycle");
});

test("evaluate() refuses to list names of what has none", async () => {
  const folder = makeFolder({ "flake.config.ts": flakeText("{ a: 1 }") });
  const question = { want: "names", attribute: "a", candidates: [["a"]] } as const;
  assert.is((await errorOf(evaluate({ flake: flakeIn(folder), question }))).code, "flake.attribute-names");
});

test("evaluate() gives a system's warnings with their places", async () => {
  const system = `{ kind: "system", name: "web", toplevel: ${make("web")}, warnings: [{ code: "a.b", message: "old", at: { file: "/f", line: 1, column: 2 } }] }`;
  const folder = makeFolder({ "flake.config.ts": flakeText(`{ systems: { web: ${system} } }`, DERIVATION) });
  const { type, warnings } = (await ask(flakeIn(folder), "web")).value as Record<string, unknown>;
  assert.equal([type, warnings], ["system", ["/f:1:2: old"]]);
});

/** Processes whose words name a folder. */
function processesOf(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(folder);
    } catch {
      return false;
    }
  });
}

test("evaluate() leaves no process when it ends one whose sandbox is being made", async () => {
  const folder = makeFolder({ "flake.config.ts": flakeText("{ get a() { for (;;); } }") });
  for (const timeoutSeconds of [0.004, 0.008, 0.012, 0.016, 0.02]) {
    assert.is((await errorOf(ask(flakeIn(folder), "a", { timeoutSeconds }))).code, "evaluation.timeout");
    for (const end = Date.now() + 5000; processesOf(folder).length > 0 && Date.now() < end; ) await sleep(20);
    assert.equal(processesOf(folder), [], `after ${timeoutSeconds} s`);
  }
});

test("evaluate() stops a loop without end", async () => {
  const folder = makeFolder({ "flake.config.ts": flakeText("{ get a() { for (;;); } }") });
  assert.is((await errorOf(ask(flakeIn(folder), "a", { timeoutSeconds: 2 }))).code, "evaluation.timeout");
});

test("evaluate() stops a list that grows without end", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText(
      "{ get a() { const all: unknown[] = []; for (;;) all.push(new Array(1000).fill(all.length)); } }",
    ),
  });
  assert.is(
    (await errorOf(ask(flakeIn(folder), "a", { memoryMiB: 64, timeoutSeconds: 30 }))).code,
    "evaluation.out-of-memory",
  );
});

test("evaluate() takes no answer that is longer than it may be", async () => {
  const flake = flakeIn(makeFolder({ "flake.config.ts": flakeText('{ a: "x".repeat(3_000_000) }') }));
  const error = await errorOf(ask(flake, "a", { maxAnswerBytes: 1_000_000 }));
  assert.is(error.code, "evaluation.answer-too-large");
  assert.match(error.message, "more than 1000000 bytes");
  assert.is(String((await ask(flake, "a")).value).length, 3_000_000);
});

test("evaluate() can be called off", async () => {
  const folder = makeFolder({ "flake.config.ts": flakeText("{ get a() { for (;;); } }") });
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error("called off")), 300);
  assert.is((await errorOf(ask(flakeIn(folder), "a", { signal: controller.signal }))).message, "called off");
});

test("evaluate() tells the first lines of a message that fills a screen", async () => {
  const text = flakeText('{ get a() { throw new Error(["top", ..."x".repeat(200)].join("\\n")); } }');
  const { message } = await errorOf(ask(flakeIn(makeFolder({ "flake.config.ts": text })), "a"));
  const lines = message.split("\n");
  assert.match(lines[0] ?? "", /: top$/);
  assert.equal(lines.slice(1), [...Array<string>(11).fill("x"), "… and 189 more lines"]);
});

test("evaluate() hides control characters of what the configuration prints", async () => {
  const lines: string[] = [];
  const folder = makeFolder({ "flake.config.ts": flakeText("{ a: 1 }", 'console.log("a\\u001b[2Jb");') });
  await ask(flakeIn(folder), "a", { onLine: (line) => lines.push(line) });
  assert.ok(lines.includes("a[2Jb"));
});

test("evaluate() does not see files the checkout ignores", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText("{ a: secret }", 'import { secret } from "./secret.ts";'),
    "secret.ts": "export const secret = 1;\n",
  });
  const error = await errorOf(ask({ ...flakeIn(folder), files: ["flake.config.ts"] }, "a"));
  assert.is(error.code, "evaluation.import-ignored");
  writeFileSync(`${folder}/secret.ts`, "export const secret = 2;\n");
  assert.is((await ask({ ...flakeIn(folder), files: ["flake.config.ts", "secret.ts"] }, "a")).value, 2);
});

test.run();

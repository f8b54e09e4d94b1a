import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ask, errorOf, flakeIn, flakeText, makeFolder } from "./testing.ts";

// Each attempt runs inside; "refused" and the code of the error, or the value it got hold of.
const ATTEMPTS: Readonly<Record<string, string>> = {
  clock: "Date.now()",
  newDate: "new Date()",
  dateText: "Date()",
  dateSubclass: "new (class extends Date {})()",
  dateOfInstance: "new (new Date(0).constructor)()",
  random: "Math.random()",
  evalText: 'eval("1")',
  indirectEval: '(0, eval)("1")',
  functionText: 'new Function("return 1")()',
  constructorEscape: '({}).constructor.constructor("return process")()',
  asyncConstructor: '(async () => {}).constructor("return process")',
  generatorConstructor: '(function* () {}).constructor("return process")',
  errorEscape: 'attemptError().constructor.constructor("return process")()',
  encoderEscape: 'new TextEncoder().encode("a").constructor.constructor("return process")()',
  consoleEscape: 'console.log.constructor("return process")()',
  process: "process.env",
  globalProcess: "globalThis.process.env",
  require: 'require("fs")',
  buffer: 'Buffer.from("a")',
  fetch: 'fetch("http://127.0.0.1/")',
  timer: "setTimeout(() => {}, 1)",
  performance: "performance.now()",
  intl: "new Intl.NumberFormat()",
  locale: '"a".localeCompare("b")',
  localeNumber: "(1234.5).toLocaleString()",
  wasm: "new WebAssembly.Module(new Uint8Array())",
  atomics: "Atomics.wait",
  weak: "new WeakRef({})",
  changeArray: "(Array.prototype.map = () => 1)",
  changeObject: "(Object.prototype.polluted = 1)",
  changeObjectMethod: "(Object.prototype.toString = 1)",
  changeJson: "(JSON.stringify = () => 1)",
  changeGlobal: "(globalThis.Map = 1)",
  addGlobal: "(globalThis.shared = 1)",
  stackHook: "(Error.prepareStackTrace = (error, frames) => frames)",
  importMeta: "import.meta.url.length",
};

const attempts = `{
  results: Object.fromEntries(Object.entries({
${Object.entries(ATTEMPTS)
  .map(([name, code]) => `    ${name}: () => ${code},`)
  .join("\n")}
  }).map(([name, run]) => [name, attempt(run)])),
}`;
const head = `
function attemptError(): any { try { null!.x; } catch (error) { return error; } }
function attempt(run: () => unknown): string {
  try {
    return "got " + String(run()).slice(0, 80);
  } catch (error) {
    return "refused " + ((error as any).code ?? (error as any).name);
  }
}
`;

test("evaluate() keeps clock, chance, environment, network and code from text out of reach", async () => {
  const folder = makeFolder({ "flake.config.ts": flakeText(attempts, `// @ts-nocheck\n${head}`) });
  const { value } = await ask(flakeIn(folder), "results");
  const results = value as Record<string, string>;
  assert.equal(
    Object.entries(results).filter(([, result]) => !result.startsWith("refused ")),
    [],
  );
  for (const name of [
    "clock",
    "newDate",
    "dateText",
    "dateSubclass",
    "dateOfInstance",
    "random",
    "locale",
    "localeNumber",
  ]) {
    assert.is(results[name], "refused evaluation.impure", name);
  }
});

test("evaluate() leaves what is pure: dates from data, own properties that shadow built-in ones", async () => {
  const outputs = `{ data: {
    date: new Date(0).toISOString(),
    parsed: Date.UTC(2026, 0, 1),
    zone: new Date("2026-01-01 10:00").toISOString(),
    shadow: \`\${shadow}\`,
    bytes: [...new TextEncoder().encode("é")],
    text: new TextDecoder().decode(new Uint8Array([195, 169])),
  } }`;
  const folder = makeFolder({
    "flake.config.ts": flakeText(
      outputs,
      `const shadow: any = {}; shadow.toString = () => "own"; const named = new Error("x"); named.name = "Own";`,
    ),
  });
  const { value } = await ask(flakeIn(folder), "data");
  assert.equal(value, {
    date: "1970-01-01T00:00:00.000Z",
    parsed: 1767225600000,
    zone: "2026-01-01T10:00:00.000Z",
    shadow: "own",
    bytes: [195, 169],
    text: "é",
  });
});

test("evaluate() gives the place of the caller with an impure call", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText("{ now: stamp() }", 'import { stamp } from "./stamp.ts";'),
    "stamp.ts": "export function stamp(): number {\n  return Date.now();\n}\n",
  });
  const error = await errorOf(ask(flakeIn(folder), "now"));
  assert.is(error.code, "evaluation.impure");
  assert.equal(error.at, { file: `${folder}/stamp.ts`, line: 2, column: 15 });
  assert.ok(error.details?.[0]?.includes(`${folder}/flake.config.ts:5`), "the frame that called it is told");
});

test("evaluate() says why a name of Node is missing", async () => {
  const folder = makeFolder({ "flake.config.ts": `// @ts-nocheck\n${flakeText("{ home: process.env.HOME }")}` });
  const error = await errorOf(ask(flakeIn(folder), "home"));
  assert.is(error.code, "evaluation.impure");
  assert.is(
    error.message,
    'Cannot use "process" in an evaluation: it has no access to the process and its environment',
  );
  assert.is(error.at?.line, 6);
});

for (const [name, code, expected] of [
  ["a part of Node", 'import { readFileSync } from "node:fs";', "evaluation.import-refused"],
  ["a package", 'import thing from "thing";', "evaluation.import-refused"],
  ["the host wing", 'import thing from "#floe/host";', "evaluation.import-refused"],
  ["the calls of the engine", 'import { log } from "floe:host";', "evaluation.import-refused"],
  ["the hashes of the engine", 'import { createHash } from "node:crypto";', "evaluation.import-refused"],
  ["a file outside", 'import thing from "../outside.ts";', "evaluation.import-refused"],
  ["a file that a link leads out to", 'import thing from "./link.ts";', "evaluation.import-symlink-escape"],
  [
    "a file in a folder that a link leads out to",
    'import thing from "./folder/outside.ts";',
    "evaluation.import-symlink-escape",
  ],
  ["a file that is not there", 'import thing from "./nothing.ts";', "evaluation.import-missing"],
] as const) {
  test(`evaluate() refuses to import ${name}`, async () => {
    const folder = makeFolder({
      "flake/flake.config.ts": `import { defineFlake } from "#floe/flake";\n${code}\nexport default defineFlake({ outputs() { return { a: 1 }; } });\n`,
      "outside.ts": "export default 1;\n",
    });
    symlinkSync("../outside.ts", `${folder}/flake/link.ts`);
    symlinkSync("..", `${folder}/flake/folder`);
    const error = await errorOf(ask(flakeIn(`${folder}/flake`), "a"));
    assert.is(error.code, expected);
    assert.equal(error.at, { file: `${folder}/flake/flake.config.ts`, line: 2, column: code.indexOf('"') + 1 });
  });
}

test("evaluate() refuses dynamic import, also where its error is caught", async () => {
  const outputs = `{ get a() { const promise: any = import("node:fs"); return promise.constructor === Promise; } }`;
  const folder = makeFolder({ "flake.config.ts": flakeText(outputs) });
  const error = await errorOf(ask(flakeIn(folder), "a"));
  assert.is(error.code, "evaluation.import-refused");
  assert.is(error.at?.line, 5);
});

test("local() takes nothing outside of the sources", async () => {
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText('{ a: `${local("../secret")}` }', 'import { local } from "#floe/derivation";'),
    secret: "s",
  });
  const error = await errorOf(ask(flakeIn(`${folder}/flake`), "a"));
  assert.is(error.code, "source.outside");
  assert.is(error.at?.line, 5);
});

test("local() takes a link as a link, without following it", async () => {
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText('{ a: `${local("./tree")}` }', 'import { local } from "#floe/derivation";'),
    secret: "s",
  });
  mkdirSync(`${folder}/flake/tree`);
  symlinkSync("../../secret", `${folder}/flake/tree/link`);
  const before = await ask(flakeIn(`${folder}/flake`), "a");
  writeFileSync(`${folder}/secret`, "another secret");
  const after = await ask(flakeIn(`${folder}/flake`), "a");
  assert.is(before.value, after.value);
});

test("evaluate() shows configuration no folder of this machine, and no frame but its own", async () => {
  const stacks = `{ get a() { return { own: new Error("x").stack, native: stackOf(() => (null as any).x), local: local("./a").path,
    engine: stackOf(() => derivation({} as any)), target: (() => { const o: any = {}; Error.captureStackTrace(o); return o.stack; })() }; } }`;
  const head = `import { derivation, local } from "#floe/derivation";
function stackOf(run: () => unknown): string { try { run(); } catch (error) { return (error as Error).stack ?? ""; } return "none"; }
//# sourceURL=/etc/elsewhere.ts`;
  const values = [];
  for (const name of ["one", "another"]) {
    const folder = makeFolder({ [`${name}/flake.config.ts`]: flakeText(stacks, head) });
    values.push((await ask(flakeIn(`${folder}/${name}`), "a")).value as Record<string, string>);
  }
  assert.equal(values[0], values[1]);
  const { own = "", engine = "", local: path } = values[0] ?? {};
  assert.match(own, /^Error: x\n {4}at (get )?a \(\/@flake\/flake\.config\.ts:7:\d+\)$/);
  assert.match(engine, "/@flake/flake.config.ts");
  assert.not.match(JSON.stringify(values[0]), /@floe|node:|elsewhere|\/core\//);
  assert.is(path, "/@flake/a");
});

test("evaluate() runs in a sandbox or says that it does not", async () => {
  const lines: string[] = [];
  const folder = makeFolder({ "flake.config.ts": flakeText("{ a: 1 }", 'console.log("printed");') });
  const { isolation } = await ask(flakeIn(folder), "a", { onLine: (line) => lines.push(line) });
  assert.ok(lines.includes("printed"));
  assert.is(
    lines.some((line) => line.includes("permission model alone")),
    isolation === "permission-model",
  );
});

test.run();

import type { HostileCase } from "./corpus.ts";

const fromText = (name: string, code: string, head = ""): HostileCase => ({
  name: `code from text by ${name}`,
  code,
  head,
  refused: "evaluation.impure",
  saying: "code from text",
});
const frozen = (name: string, code: string, head = ""): HostileCase => ({
  name: `a change of ${name}`,
  code,
  head,
  refused: "evaluation.failed",
  saying: "TypeError",
});
const notImported = (specifier: string, code = "import-refused", more = ""): HostileCase => ({
  name: `the import of ${specifier}`,
  head: `import thing from /*@*/"${specifier}"${more};`,
  refused: `evaluation.${code}`,
});

/** The same while code of the flake runs. */
const notImportedLater = (specifier: string, code = "import-refused"): HostileCase => ({
  name: `the import of ${specifier} by importSync`,
  head: 'import { importSync } from "#floe/flake";',
  code: `/*@*/importSync<any>(${JSON.stringify(specifier)})`,
  refused: `evaluation.${code}`,
});

/** Ways out of the realm: code from text, objects of the border, imports, and changes that others would see. */
export const ESCAPES: readonly HostileCase[] = [
  fromText("eval", "/*@return*/eval('1 + 1')"),
  fromText("indirect eval", "(0, eval)/*@*/('1 + 1')"),
  fromText("Function", "/*@*/new Function('return 1')()"),
  fromText("the constructor of a constructor", "({}).constructor./*@*/constructor('return process')()"),
  fromText("the constructor of async functions", "(async () => {})./*@*/constructor('return process')"),
  fromText("the constructor of generators", "(function* () {})./*@*/constructor('return process')"),
  fromText("the constructor of async generators", "(async function* () {})./*@*/constructor('return process')"),
  fromText("a function of the border", "console.log./*@*/constructor('return process')()"),
  fromText("bytes from the border", "new TextEncoder().encode('a').constructor./*@*/constructor('return process')()"),
  fromText(
    "a hash of the engine",
    "hashBytes('sha256', new Uint8Array()).constructor./*@*/constructor('return process')()",
    'import { hashBytes } from "#floe/base";',
  ),
  fromText(
    "data that was imported",
    "data.constructor./*@*/constructor('return process')()",
    'import data from "./data.json" with { type: "json" };',
  ),
  fromText(
    "an error of the engine",
    "caught.constructor./*@*/constructor('return process')()",
    'import { local } from "#floe/derivation"; let caught: any; try { String(local("/etc/passwd")); } catch (error) { caught = error.cause ?? error; }',
  ),
  {
    name: "an error of the outer process where the stack overflows in its hands",
    head: `let foreign = 0;
const probe = (): void => { try { probe(); } catch { try { new TextEncoder().encode("x"); console.log(""); } catch (error) { if (!(error instanceof Error)) foreign++; } } };
probe();`,
    code: "foreign",
    value: 0,
  },
  {
    name: "the promise of an import",
    code: "/*@return*/import('node:fs').constructor === Promise",
    refused: "evaluation.import-refused",
  },
  {
    name: "an import while it runs, caught",
    code: "/*@return*/(import('data:text/javascript,export default 1').catch(() => 0), 1)",
    refused: "evaluation.import-refused",
  },
  {
    name: "the place of a module",
    code: "[import.meta.url, (import.meta as any).dirname, Object.keys(import.meta)].map(String)",
    value: ["undefined", "undefined", ""],
  },
  notImported("node:fs"),
  notImported("fs"),
  notImported("node:child_process"),
  notImported("node:worker_threads"),
  notImported("node:crypto"),
  notImported("floe:host"),
  notImported("#floe/host"),
  notImported("#floe/../host"),
  notImported("lodash"),
  notImported("https://127.0.0.1/evil.ts"),
  notImported("data:text/javascript,export default 1"),
  notImported("file:///etc/passwd"),
  notImported("/etc/passwd", "import-refused", ' with { type: "json" }'),
  notImported("/@floe/core/host/evaluator/inside/prelude.ts"),
  notImported("../outside.ts"),
  notImported("./../../../../etc/passwd", "import-refused", ' with { type: "json" }'),
  notImported("./addon.node"),
  notImported("./module.wasm"),
  notImported("./nothing.ts", "import-missing"),
  { ...notImported("./link.ts", "import-symlink-escape"), files: { "link.ts": { link: "/etc/passwd" } } },
  { ...notImported("./out/outside.ts", "import-symlink-escape"), files: { out: { link: ".." } } },
  { ...notImported("./round.ts", "import-symlink-escape"), files: { "round.ts": { link: "round.ts" } } },
  { ...notImported("./folder.ts", "import-not-a-file"), files: { "folder.ts": { folder: true } } },
  { ...notImported("./pipe.ts", "import-not-a-file"), files: { "pipe.ts": { pipe: true } } },
  notImportedLater("node:fs"),
  notImportedLater("node:module"),
  notImportedLater("floe:host"),
  notImportedLater("#floe/host"),
  notImportedLater("lodash"),
  notImportedLater("file:///etc/passwd"),
  notImportedLater("/@floe/core/host/evaluator/inside/source-host.ts"),
  notImportedLater("../outside.ts"),
  notImportedLater("./addon.node"),
  { ...notImportedLater("./link.ts", "import-symlink-escape"), files: { "link.ts": { link: "/etc/passwd" } } },
  { ...notImportedLater("./pipe.ts", "import-not-a-file"), files: { "pipe.ts": { pipe: true } } },
  {
    name: "an input that imports a file of the flake by importSync",
    files: {
      "secret.ts": "export const secret = 1;\n",
      "flake.config.ts":
        'import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({ inputs: { evil: { url: "path:./input" } }, outputs({ inputs }) { return { get a(): any { return (inputs as any).evil.steal; } }; } });\n',
      "input/flake.config.ts":
        'import { defineFlake, importSync } from "#floe/flake";\n\nconst tries = ["/@flake/secret.ts", "../../../@flake/secret.ts", "../secret.ts", "./../secret.ts"];\nexport default defineFlake({ outputs: () => ({ get steal() { return tries.map((each) => { try { return importSync(each); } catch (error) { return (error as any).code; } }); } }) });\n',
    },
    value: Array.from({ length: 4 }, () => "evaluation.import-refused"),
  },
  {
    name: "an input whose functions and folders are called as if files of the flake or of the engine asked",
    files: {
      "secret.ts": "export const secret = 1;\n",
      "flake.config.ts":
        'import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({ inputs: { evil: { url: "path:./input" } }, outputs({ inputs }) { return { get a(): any { return (inputs as any).evil.steal; } }; } });\n',
      "input/flake.config.ts": `import { defineFlake, importSync } from "#floe/flake";
import { local } from "#floe/derivation";
import { call } from "./x (/@flake/a.ts";

const asNamed = (name: string, ask: (file: string) => unknown, file: string) => {
  const named = () => [ask(file)];
  Object.defineProperty(named, "name", { value: name });
  try { return String(named()); } catch (error) { return (error as any).code; }
};
const line = (place: string) => "x\\n    at " + place + ":1:1\\n";
export default defineFlake({ outputs: () => ({ get steal() { return [
  asNamed(line("/@flake/x.ts"), importSync, "./secret.ts"),
  asNamed("x (/@flake/x.ts:1:1", importSync, "../../../../secret.ts"),
  asNamed(line("/@floe/vm-tests/x.ts"), importSync, "../core/host/evaluator/inside/source-host.ts"),
  asNamed(line("/@flake/x.ts"), local, "./secret.ts"),
  asNamed("", () => call(importSync, "./secret.ts"), ""),
]; } }) });
`,
      "input/x (/@flake/a.ts":
        "export const [call] = [(ask: (file: string) => unknown, file: string) => String(ask(file))] as const;\n",
    },
    value: [
      "evaluation.import-missing",
      "evaluation.import-refused",
      "evaluation.import-refused",
      "source.missing",
      "evaluation.import-missing",
    ],
  },
  {
    name: "an input that gives out functions without a frame, which the flake calls unawares",
    files: {
      "secret.ts": "export const secret = 1;\n",
      "flake.config.ts":
        'import { defineFlake } from "#floe/flake";\n\nexport default defineFlake({ inputs: { evil: { url: "path:./input" } }, outputs({ inputs }) { const evil = inputs.evil as any; return { get a(): any { return evil.traps.map((trap: any) => { try { return Object.keys({ ...trap }.taken ?? {}); } catch (error) { return (error as any).code; } }); } }; } });\n',
      "input/flake.config.ts": `import { local, localModules } from "#floe/derivation";
import { defineFlake, importLazily, importSync } from "#floe/flake";
import { defineProgram } from "#floe/program";

const trap = (get: any) => Object.create(null, { taken: { enumerable: true, get } });
export default defineFlake({ outputs: () => ({ traps: [
  importSync.bind(null, "./secret.ts"),
  importLazily.bind(null, { a: "./secret.ts" }),
  local.bind(null, "./secret.ts"),
  localModules.bind(null, { name: "x", provided: [] }),
  defineProgram.bind(null, () => {}),
].map(trap) }) });
`,
    },
    value: Array.from({ length: 5 }, () => "source.foreign-caller"),
  },
  {
    name: "the border, by a getter that a file of the engine calls",
    head: 'import { importSync } from "#floe/flake";\nimport { vmTest } from "#floe/vm-test";',
    code: `(() => {
  const options: any = { description: "", machines: {}, script() {} };
  Object.defineProperty(options, "name", { get: importSync.bind(null, "../core/host/evaluator/inside/module.ts") });
  try { return Object.keys(vmTest(options).name); } catch (error) { return (error as any).code; }
})()`,
    value: "source.foreign-caller",
  },
  frozen("Object.prototype", "(Object.prototype as any).polluted /*@*/= 1"),
  frozen("Object.prototype by __proto__", "({} as any).__proto__.polluted /*@*/= 1"),
  frozen(
    "Object.prototype by defineProperty",
    "Object./*@*/defineProperty(Object.prototype, 'polluted', { get: () => 1 })",
  ),
  frozen("the prototype of Object.prototype", "Object./*@*/setPrototypeOf(Array.prototype, {})"),
  frozen("a method of lists", "(Array.prototype as any).map /*@*/= () => 1"),
  frozen("JSON", "(JSON as any).stringify /*@*/= () => '{}'"),
  frozen("a global", "(globalThis as any).Map /*@*/= 1"),
  frozen("what is global, by a new name", "(globalThis as any).shared /*@*/= 1"),
  frozen("how stacks are told", "(Error as any).prepareStackTrace /*@*/= (_: unknown, frames: unknown) => frames"),
  frozen("how far stacks reach", "(Error as any).stackTraceLimit /*@*/= 0"),
  frozen(
    "the iteration of lists",
    "(Object.getPrototypeOf([][Symbol.iterator]()) as any).next /*@*/= () => ({ done: true })",
  ),
  frozen("a function of the engine", "(defineFlake as any).call /*@*/= 1"),
  frozen(
    "a class of the engine",
    "(CodedError.prototype as any).name /*@*/= 'x'",
    'import { CodedError } from "#floe/base";',
  ),
  frozen("the options of the engine", "(option as any).bool /*@*/= () => 1", 'import { option } from "#floe/module";'),
  {
    name: "a change that one module makes and another sees",
    head: 'import "./first.ts";\nimport { seen } from "./second.ts";',
    files: {
      "first.ts":
        'import * as base from "#floe/base";\nfor (const change of [() => { (globalThis as any).leak = 1; }, () => { (Symbol as any).leak = 1; }, () => { (base.CodedError as any).leak = 1; }, () => { (console as any).leak = 1; }, () => { (new TextEncoder().constructor as any).leak = 1; }]) { try { change(); } catch {} }\n',
      "second.ts":
        'import * as base from "#floe/base";\nexport const seen = [globalThis, Symbol, base.CodedError, console, TextEncoder].map((place: any) => place.leak === undefined);\n',
    },
    code: "seen",
    value: [true, true, true, true, true],
  },
];

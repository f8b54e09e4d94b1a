import type { HostileCase } from "./corpus.ts";

const PATH = `/nix/store/${"0".repeat(32)}`;
const notJson = (name: string, code: string, head = ""): HostileCase => ({
  name,
  code,
  head,
  refused: "evaluation.not-json",
});
const thrown = (name: string, value: string, head = ""): HostileCase => ({
  name: `throwing ${name}`,
  code: `(() => { throw ${value}; })()`,
  head,
  refused: "evaluation.failed",
});
const derivations = (names: string): string => `import { ${names} } from "#floe/derivation";`;
const MADE = `${derivations("derivation")} const made = derivation({ name: 'x', system: 'x86_64-linux', builder: '/bin/sh' });`;

/** What comes back: values that are none, errors that lie, plans that name what is not theirs. */
export const ANSWERS: readonly HostileCase[] = [
  notJson("a promise", "Promise.resolve(1)"),
  notJson("a thenable", "({ then(resolve: any) { resolve(1); } })"),
  notJson("a generator", "(function* () { for (;;) yield 1; })()"),
  notJson("a function", "() => 1"),
  notJson("a symbol", "Symbol('x')"),
  notJson("a bigint", "10n"),
  notJson("no number", "0 / 0"),
  notJson("a map", "new Map([[1, 2]])"),
  notJson("a date", "new Date(0)"),
  notJson("bytes", "new Uint8Array(1e9)"),
  notJson("a text in an object", "new String('x')"),
  notJson("toJSON", "({ toJSON: () => 'forged' })"),
  notJson(
    "a package whose version speaks for itself",
    "({ ...made, kind: 'package', version: { toJSON: () => 'forged' } })",
    MADE,
  ),
  notJson(
    "a system whose name speaks for itself",
    "({ kind: 'system', name: { toJSON: () => 'forged' }, toplevel: made })",
    MADE,
  ),
  {
    name: "a system whose warnings speak for themselves",
    code: "({ kind: 'system', name: 'x', toplevel: made, warnings: [{ message: { toJSON: () => 'forged' } }] })",
    head: MADE,
    value: {
      type: "system",
      name: "x",
      drvPath: "/nix/store/97qlv6h78lxlm9zc8849ahsbcklhsi2y-x.drv",
      outPath: "/nix/store/s668cfx1vrqfjryf96jj8wfhg7f67dhj-x",
      outputs: { out: "/nix/store/s668cfx1vrqfjryf96jj8wfhg7f67dhj-x" },
      warnings: ["[object Object]"],
    },
  },
  notJson("a value in itself", "(() => { const a: any = {}; a.a = a; return a; })()"),
  notJson(
    "levels without end, made as they are asked for",
    "deep()",
    "const deep = (): any => ({ get next() { return deep(); } });",
  ),
  notJson(
    "a proxy of proxies",
    "endless()",
    "const endless = (): any => new Proxy({}, { get: () => endless(), ownKeys: () => ['a'], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }) });",
  ),
  notJson(
    "a derivation that beginEvaluation made unknown",
    "(() => { const made = derivation({ name: 'x', system: 'x86_64-linux', builder: '/bin/sh' }); beginEvaluation(lies); return made; })()",
    `${derivations("beginEvaluation, derivation")} const lies: any = { hashTree() { throw 0; } };`,
  ),
  {
    // The store computes each path again before it takes a source, see realise-plan.test.ts.
    name: "a tree whose hash beginEvaluation lets the configuration say",
    code: "(() => { beginEvaluation(lies); return String(local('./data.json')); })()",
    head: `${derivations("beginEvaluation, local")} const lies: any = { hashTree: () => ({ narHash: { algorithm: 'sha256', digest: new Uint8Array(32) }, narSize: 1 }) };`,
    value: "/nix/store/d3bh13zgamj2c2aw8j7s4rvmfqsgqqr0-data.json",
  },
  notJson("a list of four thousand million", "new Array(2 ** 32 - 1)"),
  notJson("a text of a hundred megabytes", "'x'.repeat(1e8)"),
  {
    name: "a text longer than there can be",
    code: "'x'./*@*/repeat(2 ** 30)",
    refused: "evaluation.failed",
    saying: "Invalid string length",
  },
  {
    name: "a number longer than there can be",
    code: "2n ** (10n ** 10n)",
    refused: "evaluation.failed",
    saying: "BigInt",
  },
  {
    name: "a proxy that throws when it is looked at",
    code: "new Proxy({}, { ownKeys() { throw /*@*/new Error('looked at'); } })",
    refused: "evaluation.failed",
  },
  { name: "symbols as names", code: "({ [Symbol.toPrimitive]: () => 1, b: 2 })", value: { b: 2 } },
  {
    name: "a prototype as a name",
    code: `JSON.parse('{"__proto__": {"polluted": 1}}')`,
    value: JSON.parse('{"__proto__": {"polluted": 1}}'),
  },
  {
    name: "names that every object has",
    code: `({ toString: 1, toLocaleString: { propertyIsEnumerable: 2 }, isPrototypeOf: 3, __defineGetter__: 4 })`,
    value: { toString: 1, toLocaleString: { propertyIsEnumerable: 2 }, isPrototypeOf: 3, __defineGetter__: 4 },
  },
  {
    name: "outputs that are thenable",
    files: { "flake.config.ts": "export default { outputs: () => ({ then() {} }) };\n" },
    refused: "flake.malformed",
  },
  {
    name: "a flake that is a proxy",
    files: { "flake.config.ts": "export default new Proxy({}, {\n  get() { throw /*@*/new Error('asked'); },\n});\n" },
    refused: "evaluation.failed",
  },
  thrown("nothing", "null"),
  thrown("a symbol", "Symbol('x')"),
  thrown("an object that speaks for itself", "{ toJSON() { throw 1; }, toString() { throw 2; } }"),
  thrown(
    "a proxy that throws at everything",
    "new Proxy({}, { get() { throw 1; }, getPrototypeOf() { throw 1; }, has() { throw 1; } })",
  ),
  thrown(
    "an error with a false place and details that are a proxy",
    "Object.assign(/*@*/new Error('x'), { at: { file: '/etc/passwd', line: 1, column: 1 }, details: new Proxy([], { get() { throw 1; } }) })",
  ),
  thrown(
    "an error whose stack names files elsewhere",
    "Object.assign(new Error('x'), { stack: 'Error: x\\n    at f (/etc/passwd:1:1)\\n    at node:internal:1:1' })",
  ),
  thrown("an error of a million letters", "/*@*/new Error('x'.repeat(1e6))"),
  {
    name: "throwing an error with the code of another",
    code: "(() => { throw Object.assign(/*@*/new Error('x'), { code: 'store.corrupt' }); })()",
    refused: "store.corrupt",
  },
  {
    name: "a stack as a value",
    code: "new Error('x').stack.split('\\n').length > 1",
    value: true,
  },
  {
    name: "a stack with the comment of another place",
    code: "new Error('x').stack.includes('elsewhere')",
    head: "//# sourceURL=/etc/elsewhere.ts",
    value: false,
  },
  {
    name: "the stack of an error of the engine",
    code: "trace()",
    head: `${derivations("derivation")} const trace = () => { try { derivation({} as any); } catch (error: any) { return /core|node:|\\/@floe/.test(error.stack); } };`,
    value: false,
  },
  notJson("a forged derivation", `({ type: 'derivation', name: 'x', drvPath: '${PATH}-x.drv', outPath: '${PATH}-x' })`),
  {
    name: "a derivation slipped into the plan",
    head: derivations("currentEvaluation, derivation"),
    code: `(() => { const d = derivation({ name: 'x', system: 'x86_64-linux', builder: '/bin/sh' }); currentEvaluation().derivations.set(d.drvPath, 'Derive(forged'); return d; })()`,
    refused: "evaluation.malformed-answer",
  },
  {
    name: "a source outside slipped into the plan",
    head: derivations("registerSource"),
    code: `(registerSource('${PATH}-x' as any, { kind: 'tree', name: 'x', from: '/etc' }), '${PATH}-x')`,
    refused: "evaluation.malformed-answer",
  },
  {
    name: "a source by a way round slipped into the plan",
    head: derivations("registerSource"),
    code: `(registerSource('${PATH}-x' as any, { kind: 'tree', name: 'x', from: '/@flake/../etc' }), '${PATH}-x')`,
    refused: "evaluation.malformed-answer",
  },
  {
    name: "a file outside, by its path",
    head: derivations("local"),
    code: "String(/*@*/local('/etc/passwd'))",
    refused: "source.outside",
  },
  {
    name: "a file outside, by a relative path",
    head: derivations("local"),
    code: "String(/*@*/local('../../../../../../../../etc/passwd'))",
    refused: "source.outside",
  },
  {
    name: "a file outside, by a link",
    head: derivations("local"),
    code: "String(/*@*/local('./out/passwd'))",
    files: { out: { link: "/etc" } },
    refused: "source.symlink-escape",
  },
  {
    name: "a file of the engine",
    head: derivations("local"),
    code: "String(/*@*/local('/@floe/core/base/bytes.ts'))",
    refused: "source.outside",
  },
  {
    name: "a file of the flake that uses it, by an input",
    files: inputFiles("get take() { return String(/*@*/local('/@flake/secret')); }"),
    refused: "source.outside",
  },
  {
    name: "a file of the flake that uses it, with a comment that lies",
    files: inputFiles("get take() { return String(/*@*/local('./secret')); }", "//# sourceURL=/@flake/input.ts"),
    refused: "source.missing",
  },
  {
    name: "a file of the flake that uses it, by what reads for the engine",
    files: inputFiles(
      "get take() { return (currentEvaluation() as any).host?.hashTree('/@flake/secret', undefined, '').narSize ?? 'no host'; }",
      derivations("currentEvaluation"),
    ),
    value: "no host",
  },
  {
    name: "a module of the flake that uses it, as a program of an input",
    files: inputFiles(
      "get take() { const at = { file: '/@flake/secret.ts', line: 1, column: 1 }; return programDerivation({ kind: 'program', at, run() {} } as any, { name: 'x', inputs: {}, system: 'x', node: 'x', runner: 'x', at: () => at }).args; }",
      'import { programDerivation } from "#floe/program";',
    ),
    refused: "program.not-a-program",
  },
  {
    name: "a module of the flake that uses it, by an input",
    files: inputFiles("take: secret", 'import secret from /*@*/"../../../@flake/secret.ts";'),
    refused: "evaluation.import-refused",
  },
];

/** A flake that gives out what its input `evil` gives. */
function inputFiles(member: string, head = ""): NonNullable<HostileCase["files"]> {
  return {
    "flake.config.ts":
      'export default { inputs: { evil: "path:./input" }, outputs: ({ inputs }: any) => ({ get a() { return inputs.evil.take; } }) };\n',
    secret: "of the flake",
    "secret.ts": "export default 1;\n",
    "input/flake.config.ts": `import { local } from "#floe/derivation";\n${head}\nexport default { outputs: () => ({ ${member} }) };\n`,
  };
}

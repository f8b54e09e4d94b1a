import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isBundleCurrent } from "./engine.ts";
import type { AgentQuestion, StrippedChanges } from "./protocol.ts";
import { questionKey, readModuleCache } from "./read-module-cache.ts";
import { Records } from "./record.ts";
import { Spares } from "./spares.ts";
import { ModuleCache } from "./module-cache.ts";
import { ask, flakeIn, flakeText, makeFolder } from "./testing.ts";
import { beginReady, canStandReady, watchedFlake } from "./testing-early-start.ts";

test("evaluate() keeps modules without types, and takes a changed file anew", async () => {
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText("{ a }", 'import { a } from "./a.ts";'),
    "flake/a.ts": "export const a: number = 1;\n",
  });
  const flake = flakeIn(`${folder}/flake`);
  const records = new Records(`${folder}/records`);
  assert.is((await ask(flake, "a", { records })).value, 1);
  const [name] = readdirSync(`${folder}/records/modules`);
  const cache = `${folder}/records/modules/${name}`;
  assert.ok(codesIn(cache).includes("export const a         = 1;\n"));
  writeFileSync(`${folder}/flake/a.ts`, "export const a: number = 2;\n");
  assert.is((await ask(flake, "a", { records })).value, 2);
  assert.not.match(readFileSync(cache, "utf8"), "const a         = 1;");
});

test("ModuleCache takes over what is new, and drops what is gone", () => {
  const folder = makeFolder({});
  const cache = new ModuleCache(`${folder}/modules`, "/flake/flake.config.ts");
  const kept = (): unknown => readModuleCache(cache.file).code;
  const code = (text: string) => ({ sha256: `of ${text}`, code: text });
  cache.update(JSON.stringify({ add: { "/a": code("1"), "/b": code("2") }, drop: [] }));
  cache.update(JSON.stringify({ add: { "/b": code("3"), "/c": code("4") }, drop: ["/a", "/never"] }));
  const left = { "/b": code("3"), "/c": code("4") };
  assert.equal(kept(), left);
  cache.update('{"add":');
  assert.equal(kept(), left, "a line that was cut short changes nothing");
  writeFileSync(cache.file, '{"half');
  cache.update(JSON.stringify({ add: { "/d": code("5") }, drop: [] }));
  assert.equal(kept(), { "/d": code("5") }, "a damaged file has nothing");
});

test("readModuleCache() leaves out what is damaged, which would end each evaluation", () => {
  const right = { sha256: "1", code: "2" };
  for (const [json, expected] of [
    [{ code: { "/a": right, "/b": null, "/c": { ...right, code: 5 } }, later: { a: ["/a"] } }, [["/a"], ["a"]]],
    [{ code: [], later: { a: {}, b: 1, c: [1], d: null, e: [] } }, [[], ["e"]]],
    [{ code: "abc", later: "abc" }, [[], []]],
    [{ ["0".repeat(64)]: "code by the text that it was made of" }, [[], []]],
    [null, [[], []]],
  ] as const) {
    const { code, later } = readModuleCache(`${makeFolder({ "cache.json": JSON.stringify(json) })}/cache.json`);
    assert.equal([Object.keys(code), Object.keys(later)], expected);
  }
});

test("ModuleCache knows of the last 32 questions what they load later", () => {
  const cache = new ModuleCache(`${makeFolder({})}/modules`, "/flake/flake.config.ts");
  const asked = (name: number) => ({ want: "value", candidates: [[`${name}`]] }) as unknown as AgentQuestion;
  cache.update(JSON.stringify({ add: { "/a": { sha256: "1", code: "2" } }, drop: [] }));
  for (let i = 0; i < 40; i++) cache.expect(asked(i), [`/${i}`]);
  cache.expect(asked(20), ["/again"]);
  const { code, later } = readModuleCache(cache.file);
  assert.equal(code, { "/a": { sha256: "1", code: "2" } });
  assert.is(Object.keys(later).length, 32);
  assert.equal(later[questionKey(asked(20))], ["/again"]);
  assert.equal(later[questionKey(asked(39))], ["/39"]);
  assert.is(later[questionKey(asked(7))], undefined);
});

test("evaluate() sends back the edited module alone, which any pipe holds", async () => {
  const modules = Array.from({ length: 40 }, (_, i) => `m${i}`);
  const large = (name: string, value: number): string =>
    `export const v: number = ${value};\n// ${name} ${"x".repeat(5000)}\n`;
  const imports = modules.map((name) => `import { v as ${name} } from "./${name}.ts";`).join("\n");
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText(`{ a: ${modules.join(" + ")} }`, imports),
    ...Object.fromEntries(modules.map((name) => [`flake/${name}.ts`, large(name, 1)])),
  });
  const records = new RecordsThatTell(`${folder}/records`);
  assert.is((await ask(flakeIn(`${folder}/flake`), "a", { records })).value, 40);
  writeFileSync(`${folder}/flake/m0.ts`, large("m0", 2));
  assert.is((await ask(flakeIn(`${folder}/flake`), "a", { records })).value, 41);
  const [first, second] = records.told.map((line) => JSON.parse(line) as StrippedChanges);
  // Without a bundle the engine is stripped as well.
  assert.is(Object.keys(first?.add ?? {}).filter((path) => path.startsWith("/@flake/")).length, 40);
  assert.equal(
    Object.entries(second?.add ?? {}).map(([path, { code }]) => [path, code]),
    [["/@flake/m0.ts", large("m0", 2).replace(": number", "        ")]],
  );
  assert.equal(second?.drop, []);
});

function codesIn(file: string): string[] {
  return Object.values(readModuleCache(file).code).map(({ code }) => code);
}

/** Keeps every line that comes back. */
class RecordsThatTell extends Records {
  readonly told: string[] = [];

  override modulesOf(configFile: string): ModuleCache {
    const cache = super.modulesOf(configFile);
    const update = cache.update.bind(cache);
    cache.update = (changes) => {
      this.told.push(changes);
      update(changes);
    };
    return cache;
  }
}

(canStandReady() ? test : test.skip)(
  "evaluate() goes on keeping a module that had no types to lose, asked of a process that stands ready",
  async () => {
    const { folder, make, askWith } = watchedFlake(600);
    const records = new Records(`${folder}/records`);
    const loop = "let n = 0;\nfor (let i = 0; i < 3; i++) n += i;\nexport const b = n;\n";
    writeFileSync(`${folder}/flake/b.ts`, loop);
    for (let value = 1; value <= 3; value++) {
      writeFileSync(
        `${folder}/flake/a.ts`,
        `import { b } from "./b.ts";\nexport const a: number = b * 0 + ${value};\n`,
      );
      const early = make();
      if (value > 1) await beginReady(early);
      assert.is(await askWith(early, "a", { records }), value);
      assert.is(early.taken?.isSpare ?? false, value > 1);
      early.leave();
      const { file } = records.modulesOf(`${folder}/flake/flake.config.ts`);
      assert.ok(codesIn(file).includes(loop), `it is kept after evaluation ${value}`);
    }
    new Spares(folder).end();
  },
);

test("evaluate() keeps modules of each flake apart", async () => {
  const records = new Records(`${makeFolder({})}/records`);
  const folder = makeFolder({
    "one/flake.config.ts": flakeText("{ a }", "const a: number = 1;"),
    "two/flake.config.ts": flakeText("{ a }", "const a: number = 2;"),
  });
  for (const name of ["one", "two"]) await ask(flakeIn(`${folder}/${name}`), "a", { records });
  const texts = ["one", "two"].map((name) =>
    readFileSync(records.modulesOf(`${folder}/${name}/flake.config.ts`).file, "utf8"),
  );
  assert.ok(
    texts.every((text, i) => text.includes(`const a         = ${i + 1};`)),
    "each has its own code",
  );
});

const bundled = isBundleCurrent() ? test : test.skip;
if (!isBundleCurrent()) console.log("skipped: the bundle is older than its sources, see `npm run bundle`");

bundled("evaluate() takes the modules of the engine from its bundle, so that a flake keeps its own alone", async () => {
  const text = flakeText("{ a }", "const a: number = 1;");
  const folder = makeFolder({ "flake/flake.config.ts": text });
  await ask(flakeIn(`${folder}/flake`), "a", { records: new Records(`${folder}/records`) });
  const [name] = readdirSync(`${folder}/records/modules`);
  assert.equal(codesIn(`${folder}/records/modules/${name}`), [text.replace("a: number", "a        ")]);
});

for (const broken of ['{"half', "null"])
  test(`evaluate() does without a cache that is broken: ${broken}`, async () => {
    const folder = makeFolder({ "flake/flake.config.ts": flakeText("{ a }", "const a: number = 1;") });
    const flake = flakeIn(`${folder}/flake`);
    const records = new Records(`${folder}/records`);
    await ask(flake, "a", { records });
    const [name] = readdirSync(`${folder}/records/modules`);
    writeFileSync(`${folder}/records/modules/${name}`, broken);
    writeFileSync(`${folder}/flake/flake.config.ts`, flakeText("{ a }", "const a: number = 2;"));
    assert.is((await ask(flake, "a", { records })).value, 2);
  });

test("code of a flake cannot write into the cache", async () => {
  const forged = '{"add":{"/@flake/flake.config.ts":{"sha256":"","code":"forged"}},"drop":[]}';
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText("{ a: 1 as number }", `console.log(${JSON.stringify(forged)});`),
  });
  const records = new Records(`${folder}/records`);
  await ask(flakeIn(`${folder}/flake`), "a", { records });
  const [name] = readdirSync(`${folder}/records/modules`);
  const codes = codesIn(`${folder}/records/modules/${name}`);
  assert.ok(codes.length > 0);
  assert.not.ok(codes.includes("forged"));
});

test.run();

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { isBundleCurrent } from "./engine.ts";
import { findProgram } from "../process/find-program.ts";
import type { StrippedChanges } from "./protocol.ts";
import { Records } from "./record.ts";
import { Spares } from "./spares.ts";
import { StrippedCache } from "./stripped-cache.ts";
import { ask, flakeIn, flakeText, makeFolder } from "./testing.ts";
import { watchedFlake } from "./testing-early-start.ts";

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
  assert.ok(Object.values(JSON.parse(readFileSync(cache, "utf8"))).includes("export const a         = 1;\n"));
  writeFileSync(`${folder}/flake/a.ts`, "export const a: number = 2;\n");
  assert.is((await ask(flake, "a", { records })).value, 2);
  assert.not.match(readFileSync(cache, "utf8"), "const a         = 1;");
});

test("StrippedCache takes over what is new, and drops what is no longer used", () => {
  const folder = makeFolder({});
  const cache = new StrippedCache(`${folder}/modules`, "/flake/flake.config.ts");
  const kept = (): unknown => JSON.parse(readFileSync(cache.file, "utf8"));
  cache.update(JSON.stringify({ add: { a: "1", b: "2" }, drop: [] }));
  cache.update(JSON.stringify({ add: { c: "3" }, drop: ["a", "never"] }));
  assert.equal(kept(), { b: "2", c: "3" });
  cache.update('{"add":');
  assert.equal(kept(), { b: "2", c: "3" }, "a line that was cut short changes nothing");
  writeFileSync(cache.file, '{"half');
  cache.update(JSON.stringify({ add: { d: "4" }, drop: [] }));
  assert.equal(kept(), { d: "4" }, "a damaged file has nothing");
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
  assert.is(Object.keys(first?.add ?? {}).length, 40);
  assert.equal(
    [Object.values(second?.add ?? {}), second?.drop.length],
    [[large("m0", 2).replace(": number", "        ")], 1],
  );
});

/** Keeps every line that comes back. */
class RecordsThatTell extends Records {
  readonly told: string[] = [];

  override modulesOf(configFile: string): StrippedCache {
    const cache = super.modulesOf(configFile);
    const update = cache.update.bind(cache);
    cache.update = (changes) => {
      this.told.push(changes);
      update(changes);
    };
    return cache;
  }
}

const canStandReady = findProgram("bwrap") !== undefined && isBundleCurrent();
if (!canStandReady)
  console.log("skipped: no process can stand ready without bubblewrap and a bundle as new as its sources");

(canStandReady ? test : test.skip)(
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
      while (value > 1 && early.begin()?.isSpare !== true) {
        early.end();
        await sleep(50);
      }
      assert.is(await askWith(early, "a", { records }), value);
      assert.is(early.taken?.isSpare ?? false, value > 1);
      early.leave();
      const { file } = records.modulesOf(`${folder}/flake/flake.config.ts`);
      const kept = JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
      assert.ok(Object.values(kept).includes(loop), `it is kept after evaluation ${value}`);
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
  const kept = JSON.parse(readFileSync(`${folder}/records/modules/${name}`, "utf8")) as Record<string, string>;
  assert.equal(Object.values(kept), [text.replace("a: number", "a        ")]);
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
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText("{ a: 1 as number }", 'console.log("{\\"forged\\":\\"code\\"}");'),
  });
  const records = new Records(`${folder}/records`);
  await ask(flakeIn(`${folder}/flake`), "a", { records });
  const [name] = readdirSync(`${folder}/records/modules`);
  assert.not.ok("forged" in JSON.parse(readFileSync(`${folder}/records/modules/${name}`, "utf8")));
});

test.run();

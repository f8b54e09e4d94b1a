/** Files that are loaded while code of the flake runs: where they are found, what is told of them, and what answers depend on. */
import { writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { attributeCandidates } from "../../flake/index.ts";
import type { Question } from "./locked-flake.ts";
import { readModuleCache } from "./read-module-cache.ts";
import { Records } from "./record.ts";
import { Spares } from "./spares.ts";
import { ask, errorOf, flakeIn, flakeText, makeFolder, writeFiles } from "./testing.ts";
import { beginReady, canStandReady, watchedFlake } from "./testing-early-start.ts";

const IMPORTS = 'import { importLazily, importSync } from "#floe/flake";';
const lazy = (files: string): string => `importLazily<any>(${files})`;

/** A flake with the function of core/flake at hand. */
function flakeWith(outputs: string, files: Readonly<Record<string, string>>, head = ""): string {
  const folder = makeFolder({
    "flake/flake.config.ts": flakeText(outputs, `${IMPORTS}\n${head}`),
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`flake/${name}`, text])),
  });
  return folder;
}

test("importSync() gives what a file exports, from beside the file that calls", async () => {
  const folder = flakeWith(
    "{ get a() { return deep(); } }",
    {
      "deep/index.ts": `${IMPORTS}\nexport const deep = () => ({ ...importSync<object>("./value.ts") });\n`,
      "deep/value.ts": "export const one: number = 1;\nexport default 2;\n",
    },
    'import { deep } from "./deep/index.ts";',
  );
  assert.equal((await ask(flakeIn(`${folder}/flake`), "a")).value, { default: 2, one: 1 });
});

test("a name without an ending is answered with the file that it may mean", async () => {
  const folder = flakeWith("{}", {
    "dir/index.ts": "export default 1;\n",
    "both/index.ts": "export default 1;\n",
    "both.ts": "export default 2;\n",
  });
  const hintOf = async (specifier: string): Promise<string | undefined> => {
    const text = flakeText(`{ get a() { return importSync("${specifier}"); } }`, IMPORTS);
    writeFiles(`${folder}/flake`, { "flake.config.ts": text });
    return (await errorOf(ask(flakeIn(`${folder}/flake`), "a"))).hint;
  };
  assert.is(await hintOf("./dir"), 'Write: "./dir/index.ts"');
  assert.is(await hintOf("./dir/"), 'Write: "./dir/index.ts"');
  assert.is(await hintOf("./both"), 'Write: "./both.ts"');
  assert.is(await hintOf("./gone"), 'Write: "./gone.ts"');
});

for (const name of ["a (b.ts", "(b).ts", "100%41.ts", "a%2Fb.ts", "a\nb.ts", "a:1:2.ts", "ü b.ts"])
  test(`importSync() gives what lies beside a file with the name ${JSON.stringify(name)}, and its errors the place there`, async () => {
    const text = "export const get = (file: string) => [file].map((each) => importSync<any>(each).one)[0];\n";
    const folder = flakeWith(
      '{ get a() { return get("./value.ts"); }, get gone() { return get("./gone.ts"); } }',
      { [`deep/${name}`]: `${IMPORTS}\n${text}`, "deep/value.ts": "export const one: number = 1;\n" },
      `import { get } from ${JSON.stringify(`./deep/${name}`)};`,
    );
    const flake = flakeIn(`${folder}/flake`);
    assert.is((await ask(flake, "a")).value, 1);
    const { at } = await errorOf(ask(flake, "gone"));
    assert.equal([at?.file, at?.line], [`${folder}/flake/deep/${name}`, 2]);
  });

test("importSync() and import give one and the same module", async () => {
  const folder = flakeWith(
    '{ get a() { return [importSync<any>("./v.ts").v === v, importSync("./v.ts") === importSync("./v.ts")]; } }',
    { "v.ts": "export const v = {};\n" },
    'import { v } from "./v.ts";',
  );
  assert.equal((await ask(flakeIn(`${folder}/flake`), "a")).value, [true, true]);
});

test("importSync() gives a part of Floe, frozen like one that is imported", async () => {
  const folder = flakeWith(
    '{ get a() { const part = importSync<any>("#floe/system"); return [typeof part.makeSystem, Object.isFrozen(part.makeSystem)]; } }',
    {},
  );
  assert.equal((await ask(flakeIn(`${folder}/flake`), "a")).value, ["function", true]);
});

test("importLazily() reads a file once its member is asked for", async () => {
  const folder = flakeWith(`{ members: ${lazy('{ one: "./one.ts", two: "./two.ts", gone: "./gone.ts" }')} }`, {
    "one.ts": "export default 1;\n",
    "two.ts": "export default {;\n",
  });
  const flake = flakeIn(`${folder}/flake`);
  const { value, filesRead } = await ask(flake, "members.one");
  assert.is(value, 1);
  assert.not.ok(filesRead.some(({ path }) => path.endsWith("/two.ts")));
  const broken = await errorOf(ask(flake, "members.two"));
  assert.is(broken.code, "evaluation.syntax");
  assert.equal([broken.at?.file, broken.at?.line], [`${folder}/flake/two.ts`, 1]);
  const missing = await errorOf(ask(flake, "members.gone"));
  assert.is(missing.code, "evaluation.import-missing");
  // The line of the call: 2 are above it, and 3 begin the outputs.
  assert.equal([missing.at?.file, missing.at?.line], [`${folder}/flake/flake.config.ts`, 6]);
});

for (const [what, text, code, message] of [
  ["a file that is not there", 'importSync("./gone.ts")', "evaluation.import-missing", "gone.ts"],
  ["a file outside of the source", 'importSync("../outside.ts")', "evaluation.import-refused", "leaves the source"],
  ["a path from the root", 'importSync("/etc/hostname")', "evaluation.import-refused", "only import files"],
  ["a module of Node", 'importSync("node:fs")', "evaluation.import-refused", "only import files"],
  ["the border", 'importSync("floe:host")', "evaluation.import-refused", "only import files"],
  ["a part of Floe that is none", 'importSync("#floe/sistem")', "evaluation.import-refused", "no such part"],
  ["data", 'importSync("./data.json")', "evaluation.import-refused", "imported with its type"],
  ["what is no path", "importSync({} as any)", "flake.no-path", "found object, expected its path as text"],
  ["what lies in a file", 'importSync("./data.json/a.ts")', "evaluation.import-missing", "lies in is a file"],
  ["a name that is too long", 'importSync(`./${"a".repeat(100_000)}.ts`)', "evaluation.import-unreadable", "aaaa"],
  ["a name with a null", 'importSync("./a\\0.ts")', "evaluation.import-unreadable", "the machine says"],
  [
    "a file without a default export",
    'importLazily({ a: "./named.ts" }).a',
    "flake.no-default-export",
    "no default export",
  ],
] as const)
  test(`a file that is imported while the evaluation runs: ${what} is refused at the line that asks`, async () => {
    const folder = flakeWith(`{\n get a() {\n  return ${text};\n } }`, {
      "named.ts": "export const b = 1;\n",
      "data.json": "{}",
    });
    writeFileSync(`${folder}/outside.ts`, "export default 1;\n");
    const error = await errorOf(ask(flakeIn(`${folder}/flake`), "a"));
    assert.is(error.code, code);
    assert.match(error.message, message);
    assert.equal([error.at?.file, error.at?.line], [`${folder}/flake/flake.config.ts`, 8]);
  });

test("importSync() at the top of a file refuses one that imports the file that runs", async () => {
  for (const [asked, found] of [
    ["./other.ts", 'it imports "/@flake/a.ts", which is being loaded just now'],
    ["./a.ts", "it is being loaded just now"],
  ] as const) {
    const folder = flakeWith(
      "{ a }",
      {
        "a.ts": `${IMPORTS}\nexport const a = importSync("${asked}");\n`,
        "other.ts": 'import { a } from "./a.ts";\nexport const b = a;\n',
      },
      'import { a } from "./a.ts";',
    );
    const error = await errorOf(ask(flakeIn(`${folder}/flake`), "a"));
    assert.is(error.code, "evaluation.import-refused");
    assert.ok(error.message.includes(found.replace("/@flake", `${folder}/flake`)), error.message);
    assert.equal([error.at?.file, error.at?.line], [`${folder}/flake/a.ts`, 2]);
  }
});

test("importSync() at the top of a file gives one that needs nothing that runs", async () => {
  const folder = flakeWith(
    "{ a }",
    { "b.ts": 'import { c } from "./c.ts";\nexport const b = c + 1;\n', "c.ts": "export const c = 1;\n" },
    'const { b: a } = importSync<any>("./b.ts");',
  );
  assert.is((await ask(flakeIn(`${folder}/flake`), "a")).value, 2);
});

test("importSync() imports nothing for a file of another source, such as the engine, that is made to call it", async () => {
  const folder = flakeWith(
    '{ get a() { return vmTest(Object.defineProperty({ description: "", machines: {}, script() {} }, "name", { get: importSync.bind(null, "./v.ts") }) as any).name; } }',
    { "v.ts": "export default 1;\n" },
    'import { vmTest } from "#floe/vm-test";',
  );
  assert.is((await errorOf(ask(flakeIn(`${folder}/flake`), "a"))).code, "source.foreign-caller");
});

test("a file that throws when it is imported throws the same each time", async () => {
  const folder = flakeWith(
    "{ get a() { return [1, 2].map(() => { try { return importSync('./bad.ts'); } catch (error) { return (error as any).message; } }); } }",
    { "bad.ts": 'throw new Error("not today");\n' },
  );
  assert.equal((await ask(flakeIn(`${folder}/flake`), "a")).value, ["not today", "not today"]);
});

const question = (attribute: string): Question => ({
  want: "value",
  attribute,
  candidates: attributeCandidates(attribute, { platform: "x86_64-linux" }),
});
const MEMBERS = `{ a: ${lazy('{ one: "./one.ts", two: "./two.ts" }')} }`;
const TWO_FILES = {
  "one.ts": 'import { part } from "./part.ts";\nexport default part as number;\n',
  "part.ts": "export const part: number = 1;\n",
  "two.ts": "export default 2 as number;\n",
};

test("an answer depends on the files that were asked for, and not on one that was looked at beforehand", async () => {
  const folder = flakeWith(MEMBERS, TWO_FILES);
  const flake = flakeIn(`${folder}/flake`);
  const records = new Records(`${folder}/records`);
  assert.is((await ask(flake, "a.one", { records })).value, 1);
  assert.is((await ask(flake, "a.two", { records })).value, 2);
  writeFileSync(`${folder}/flake/two.ts`, "export default 3 as number;\n");
  assert.ok(records.find(flake, question("a.one")), "an edit of what it did without");
  assert.is((await ask(flake, "a.two", { records })).value, 3);
  // What is expected of this question is looked at although its answer has no use for it any more.
  writeFileSync(`${folder}/flake/flake.config.ts`, flakeText("{ a: { one: 7 } }", IMPORTS));
  assert.is((await ask(flake, "a.one", { records })).value, 7);
  writeFileSync(`${folder}/flake/part.ts`, "export const part: number = 9;\n");
  assert.ok(records.find(flake, question("a.one")), "an edit of what was looked at in vain");
});

test("what a question imports while it runs is expected the next time, and kept without its types before code of the flake runs", async () => {
  const folder = flakeWith(MEMBERS, TWO_FILES);
  const flake = flakeIn(`${folder}/flake`);
  const records = new Records(`${folder}/records`);
  const { file } = records.modulesOf(`${folder}/flake/flake.config.ts`);
  const kept = () => {
    const { code, later } = readModuleCache(file);
    // Without a bundle the engine is stripped as well.
    const own = Object.keys(code).filter((path) => path.startsWith("/@flake/"));
    return { code: own.sort(), later: Object.values(later).sort() };
  };
  await ask(flake, "a.one", { records });
  assert.equal(kept(), { code: ["/@flake/flake.config.ts"], later: [["/@flake/one.ts"]] });
  await ask(flake, "a.one", { records });
  const ofOne = ["/@flake/flake.config.ts", "/@flake/one.ts", "/@flake/part.ts"];
  assert.equal(kept(), { code: ofOne, later: [["/@flake/one.ts"]] });
  // Another question has a list of its own, and takes nothing away.
  await ask(flake, "a.two", { records });
  assert.equal(kept(), { code: ofOne, later: [["/@flake/one.ts"], ["/@flake/two.ts"]] });
});

test("a file that is expected and cannot be loaded any more is no fault before it is imported", async () => {
  const folder = flakeWith(MEMBERS, TWO_FILES);
  const flake = flakeIn(`${folder}/flake`);
  const records = new Records(`${folder}/records`);
  await ask(flake, "a.one", { records });
  writeFileSync(`${folder}/flake/part.ts`, "export const part: number = {;\n");
  const error = await errorOf(ask(flake, "a.one", { records }));
  assert.equal([error.code, error.at?.file], ["evaluation.syntax", `${folder}/flake/part.ts`]);
  writeFileSync(`${folder}/flake/flake.config.ts`, flakeText("{ a: { one: 7 } }", IMPORTS));
  assert.is((await ask(flake, "a.one", { records })).value, 7);
});

(canStandReady() ? test : test.skip)(
  "a process that stands ready sees each edit of a file that is imported while it runs",
  async () => {
    const { folder, make, askWith } = watchedFlake(600);
    const records = new Records(`${folder}/records`);
    writeFileSync(
      `${folder}/flake/flake.config.ts`,
      flakeText('{ get a() { return importSync<any>("./a.ts").a; } }', IMPORTS),
    );
    for (let value = 1; value <= 4; value++) {
      writeFileSync(`${folder}/flake/a.ts`, `export const a: number = ${value};\n`);
      const early = make();
      if (value > 1) await beginReady(early);
      assert.is(await askWith(early, "a", { records }), value);
      assert.is(early.taken?.isSpare ?? false, value > 1);
      early.leave();
    }
    new Spares(folder).end();
  },
);

test.run();

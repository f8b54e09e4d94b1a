import { chmodSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { evaluate, type EvaluationResult } from "./evaluate.ts";
import type { LockedFlake, Question } from "./locked-flake.ts";
import { Records } from "./record.ts";
import { flakeIn, flakeText, makeFolder, writeFiles } from "./testing.ts";

const question: Question = { want: "value", attribute: "a", candidates: [["a"]] };
const text = flakeText(
  '{ a: `${local("./tree")} ${b}` }',
  'import { local } from "#floe/derivation";\nimport { b } from "./b.ts";',
);

async function recorded(
  more: Readonly<Record<string, string>> = {},
): Promise<{ folder: string; flake: LockedFlake; records: Records }> {
  const folder = makeFolder({
    "flake/flake.config.ts": text,
    "flake/b.ts": "export const b: string = 'b';\n",
    "flake/tree/file": "one",
    "flake/unused": "x",
  });
  writeFiles(`${folder}/flake`, more);
  const records = new Records(`${folder}/records`);
  const flake = flakeIn(`${folder}/flake`);
  // Younger files are compared by their contents.
  await sleep(150);
  await evaluate({ flake, question, records });
  return { folder, flake, records };
}

test("Records find() gives the answer again while nothing it was made from changes", async () => {
  const { folder, flake, records } = await recorded();
  const found = records.find(flake, question);
  assert.ok(found?.fromRecord);
  assert.match(found?.value as string, /-tree b$/);
  assert.is(found?.plan.sources.length, 1);
  assert.is(found?.plan.roots.length, 1);
  writeFileSync(`${folder}/flake/unused`, "another");
  assert.ok(records.find(flake, question), "a file that was not read");
  utimesSync(`${folder}/flake/b.ts`, 1, 1);
  assert.ok(records.find(flake, question), "another time, the same contents");
  assert.not.ok(records.find(flake, { ...question, want: "names" }), "another question");
  assert.not.ok(records.find({ ...flake, lock: { ...flake.lock, root: "other" } }, question), "another lock");
});

test("Records find() has no answer after a file that was read changed", async () => {
  const { flake, records } = await recorded();
  writeFileSync(`${flake.directory}/b.ts`, "export const b: string = 'c';\n");
  assert.not.ok(records.find(flake, question));
});

test("Records find() has no answer after a tree that was hashed changed", async () => {
  for (const change of [
    (tree: string) => writeFileSync(`${tree}/file`, "two"),
    (tree: string) => writeFileSync(`${tree}/new`, ""),
    (tree: string) => renameSync(`${tree}/file`, `${tree}/renamed`),
    (tree: string) => mkdirSync(`${tree}/folder`),
  ]) {
    const { flake, records } = await recorded();
    change(`${flake.directory}/tree`);
    assert.not.ok(records.find(flake, question));
  }
});

function makeFileOf(folder: string): void {
  rmSync(folder, { recursive: true });
  writeFileSync(folder, "");
}

test("Records find() of a tree with a filter: names count, and all of what the filter leaves", async () => {
  const filtered = text.replace('local("./tree")', 'local("./tree", { filter: (name) => !name.endsWith(".o") })');
  const changes: [boolean, (tree: string) => void][] = [
    [true, (tree) => writeFileSync(`${tree}/left.o`, "another")],
    [true, (tree) => chmodSync(`${tree}/left.o`, 0o700)],
    [false, (tree) => writeFileSync(`${tree}/file`, "two")],
    [false, (tree) => chmodSync(`${tree}/file`, 0o700)],
    [false, (tree) => writeFileSync(`${tree}/new.o`, "")],
    [false, (tree) => writeFileSync(`${tree}/folder/new`, "")],
    [false, (tree) => rmSync(`${tree}/left.o`)],
    [false, (tree) => rmSync(`${tree}/file`)],
    [false, (tree) => makeFileOf(`${tree}/folder`)],
    [false, (tree) => makeFileOf(tree)],
    [false, (tree) => rmSync(`${tree}/folder`, { recursive: true })],
    [false, (tree) => renameSync(`${tree}/folder`, `${tree}/left.o`.replace("left", "folder"))],
  ];
  for (const [holds, change] of changes) {
    const { flake, records } = await recorded({ "flake.config.ts": filtered, "tree/left.o": "", "tree/folder/c": "" });
    const { watched } = records.find(flake, question) as EvaluationResult;
    const tree = `${flake.directory}/tree`;
    const paths = watched?.() ?? [];
    assert.ok(paths.includes(`${tree}/file`) && paths.includes(`${tree}/folder`) && !paths.includes(`${tree}/left.o`));
    change(tree);
    assert.is(records.find(flake, question) !== undefined, holds, `${change}`);
  }
});

test("Records find() has no answer when a file that was read counts no more", async () => {
  const { flake, records } = await recorded();
  assert.not.ok(records.find({ ...flake, files: ["flake.config.ts", "tree/file"] }, question));
  assert.ok(records.find({ ...flake, files: ["flake.config.ts", "b.ts", "tree/file"] }, question));
});

test("Records find() takes a broken record for none", async () => {
  const { folder, flake, records } = await recorded();
  for (const name of readdirSync(`${folder}/records`))
    if (/^[0-9a-f]+\.json$/.test(name)) writeFiles(`${folder}/records`, { [name]: '{"version":1,' });
  assert.not.ok(records.find(flake, question));
});

for (const [what, attempt, name] of [
  ["a file", 'importSync<any>("./perhaps.ts").v', "perhaps.ts"],
  ["a source", '`${local("./perhaps")}`', "perhaps"],
] as const)
  test(`Records keep no answer of a configuration that goes on without ${what} that is not there`, async () => {
    const folder = makeFolder({
      "flake/flake.config.ts": flakeText(
        `{ get a() { try { return ${attempt}; } catch { return "without"; } } }`,
        'import { local } from "#floe/derivation";\nimport { importSync } from "#floe/flake";',
      ),
    });
    const records = new Records(`${folder}/records`);
    const flake = flakeIn(`${folder}/flake`);
    const asked = async () => {
      const result = await evaluate({ flake, question, records });
      return result.kind === "value" ? result.value : result.kind;
    };
    assert.is(await asked(), "without");
    assert.not.ok(records.find(flake, question));
    writeFileSync(`${folder}/flake/${name}`, "export const v = 1;\n");
    await sleep(150);
    assert.is.not(await asked(), "without");
    assert.ok(records.find(flake, question), "once it is there");
  });

test.run();

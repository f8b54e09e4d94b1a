/** Which files a program of a flake is made of, as evaluations find out. */
import { symlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ask, errorOf, flakeIn, flakeText, makeFolder, writeFiles } from "./testing.ts";
import { Records } from "./record.ts";

const test = suite("programs");

const HEAD = `import { derivation } from "#floe/derivation";
import { programDerivation } from "#floe/program";
import page from "./pages/page.build.ts";

const options = { name: "page", inputs: {}, system: "x86_64-linux", node: "/node", runner: "/runner", at: () => undefined };`;

const FILES: Readonly<Record<string, string>> = {
  "flake.config.ts": flakeText(`{ page: derivation(programDerivation(page as never, options)) }`, HEAD),
  "pages/page.build.ts": `import { defineProgram } from "#floe/program";
import type { Page } from "./types.ts";
import { render } from "../lib/render.ts";

export default defineProgram<Page>(({ out, write }) => write(out, render()));
`,
  "pages/types.ts": "export interface Page {}\n",
  "pages/other.ts": "export const other = 1;\n",
  "lib/render.ts": `import words from "./words.json" with { type: "json" };
import { render as again } from "./render.ts";

export const render = (): string => (words.again ? again() : "");
`,
  "lib/words.json": "{}",
};

async function planOf(folder: string, records?: Records) {
  const { value, plan } = await ask(flakeIn(folder), "page", records === undefined ? {} : { records });
  const [source] = plan.sources;
  return { value, source };
}

test("a program is made of its file and of all that it imports but for types, over and over", async () => {
  const folder = makeFolder(FILES);
  const { source } = await planOf(folder);
  assert.is(source?.kind, "tree");
  assert.is(source?.kind === "tree" && source.from, folder);
  assert.equal(source?.kind === "tree" && source.files, [
    "lib",
    "lib/render.ts",
    "lib/words.json",
    "pages",
    "pages/page.build.ts",
  ]);
});

test("another builder comes of an edit of what a program imports, and of no other", async () => {
  const folder = makeFolder(FILES);
  const records = new Records(makeFolder({}));
  const first = await planOf(folder, records);
  writeFiles(folder, { "pages/types.ts": "export interface Page { readonly a?: 1 }\n", "pages/other.ts": "" });
  assert.equal(await planOf(folder, records), first);
  writeFiles(folder, { "lib/words.json": '{ "again": false }' });
  const second = await planOf(folder, records);
  assert.is.not(second.source?.path, first.source?.path);
  assert.equal(second, await planOf(folder));
  writeFiles(folder, { "lib/words.json": "{}" });
  assert.equal(await planOf(folder, records), first);
});

test("a program takes no part of Floe along, and nothing behind a symbolic link", async () => {
  const folder = makeFolder(FILES);
  const edit = (text: string): void => writeFiles(folder, { "lib/render.ts": text });
  edit(
    'import { bool } from "./words.ts";\nimport { option } from "#floe/module";\nexport const render = () => `${bool}${option}`;\n',
  );
  writeFiles(folder, { "lib/words.ts": "export const bool = 1;\n" });
  const part = await errorOf(ask(flakeIn(folder), "page"));
  assert.is(part.code, "source.foreign-import");
  assert.equal(part.at, { file: `${folder}/lib/render.ts`, line: 2, column: 24 });
  edit('export { bool as render } from "./link.ts";\n');
  symlinkSync("words.ts", `${folder}/lib/link.ts`);
  const link = await errorOf(ask(flakeIn(folder), "page"));
  assert.is(link.code, "source.foreign-import");
  assert.equal(link.at, { file: `${folder}/lib/render.ts`, line: 1, column: 32 });
});

test.run();

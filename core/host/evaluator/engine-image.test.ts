/** The engine out of its bundle is the engine of the sources. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { bundleFiles } from "./bundle-files.ts";
import { makeStripTypes } from "./child/strip-types.ts";
import { findEngine, hasEngineImage } from "./engine.ts";
import { ask, errorOf, flakeIn, flakeText, makeFolder } from "./testing.ts";
import { warmUp } from "./warm-up.ts";

const bundled = hasEngineImage() ? test : test.skip;
if (!hasEngineImage()) console.log("skipped: the bundle is older than its sources, see `npm run bundle`");

const { image, imageCode } = bundleFiles(findEngine());

bundled(
  "the image has each part with the names that the sources export, and functions are called as there",
  async () => {
    const parts = ["base", "derivation", "flake", "module", "package", "store", "system"];
    const names = parts.map((part) => `${part}: list(the_${part})`).join(", ");
    const head = `${parts.map((part) => `import * as the_${part} from "#floe/${part}";`).join("\n")}
const list = (part: object) => Object.fromEntries(Object.entries(part).map(([key, value]) => [key, typeof value === "function" ? value.name : typeof value]));`;
    const { value } = await ask(
      flakeIn(makeFolder({ "flake.config.ts": flakeText(`{ parts: { ${names} } }`, head) })),
      "parts",
    );
    for (const part of parts) {
      const source = (await import(`../../${part}/index.ts`)) as Record<string, unknown>;
      const expected = Object.entries(source).map(([key, each]) => [
        key,
        typeof each === "function" ? each.name : typeof each,
      ]);
      assert.equal((value as Record<string, unknown>)[part], Object.fromEntries(expected), part);
    }
  },
);

bundled("the compiled code of the image is taken by the process of an evaluation", () => {
  const { args } = warmUp(findEngine());
  const flags = args.filter((arg) => arg.startsWith("--") && !/^--(permission|allow-)/.test(arg));
  const look = `const { readFileSync } = require("node:fs");
const script = new (require("node:vm").Script)(readFileSync(${JSON.stringify(image)}, "utf8"), { cachedData: readFileSync(${JSON.stringify(imageCode)}) });
console.log(script.cachedDataRejected);`;
  assert.is(execFileSync(process.execPath, [...flags, "-e", look], { encoding: "utf8" }), "false\n");
});

bundled("realms of two evaluations share nothing: what one leaves behind, the next one does not find", async () => {
  const folder = makeFolder({
    "flake.config.ts": flakeText(
      "{ before: seen(), left: leave() }",
      `import * as base from "#floe/base";
const seen = () => [(globalThis as any).left, Object.keys(base).includes("left"), (Object.prototype as any).left].map(String);
const leave = () => [() => { (globalThis as any).left = 1; }, () => { (base.CodedError.prototype as any).left = 1; }, () => { (Object.prototype as any).left = 1; }].map((run) => { try { run(); return "left"; } catch { return "refused"; } });`,
    ),
  });
  const both = [await ask(flakeIn(folder), "before"), await ask(flakeIn(folder), "before")];
  for (const { value } of both) assert.equal(value, ["undefined", "false", "undefined"]);
  assert.equal((await ask(flakeIn(folder), "left")).value, ["refused", "refused", "refused"]);
});

bundled("makeStripTypes() takes types away as Node does, and says the same of what has a mistake", () => {
  const { stripper } = bundleFiles(findEngine());
  assert.ok(existsSync(stripper), "the package amaro has to be of the version that Node has");
  const strip = makeStripTypes(findEngine());
  const asNode = (text: string): string => stripTypeScriptTypes(text, { mode: "strip" });
  const outcome = (run: (text: string) => string, text: string): unknown => {
    try {
      return run(text);
    } catch (error) {
      const { message, code, stack = "" } = error as Error & { code: string };
      return { message, code, excerpt: stack.split("\n\n")[0] };
    }
  };
  const texts = [
    "const a: number = 1 as number;\n",
    "enum A { b }",
    "let a: = 3;",
    "\n\nfoo(\n",
    "class A { constructor(readonly a: number) {} }",
  ];
  for (const text of [...texts, readFileSync(`${findEngine()}/flake.config.ts`, "utf8")])
    assert.equal(outcome(strip, text), outcome(asNode, text), text.slice(0, 40));
});

bundled("the bundle has the modules of the engine that lie in no script, without their types", async () => {
  const { stripped, stripper } = bundleFiles(findEngine());
  assert.ok(existsSync(stripper));
  const kept = JSON.parse(readFileSync(stripped, "utf8")) as Record<string, string>;
  const folder = makeFolder({ "flake.config.ts": STORY });
  const { filesRead } = await ask(flakeIn(folder), "node");
  const own = filesRead.filter(({ path }) => /\/(?:modules|pkgs|vm-tests)\/.*\.ts$/.test(path));
  assert.ok(own.length > 50, `found ${own.length} modules`);
  for (const { path, sha256 } of own) {
    assert.is(kept[sha256], stripTypeScriptTypes(readFileSync(path, "utf8"), { mode: "strip" }), path);
  }
});

/** A flake with a story of a machine. */
const STORY = flakeText(
  "{ plain: story.name, get node() { return story.programs.node; } }",
  'import { vmTest } from "#floe/vm-test";\nconst story = vmTest({ name: "s", description: "A story.", machines: { machine: { config: {} } }, script: async () => {} });',
);

test("modules and packages of the engine are loaded when a story's machines are asked for, and not before", async () => {
  const folder = makeFolder({ "flake.config.ts": STORY });
  const packages = async (attribute: string): Promise<number> => {
    const { filesRead, value } = await ask(flakeIn(folder), attribute);
    assert.match(value as string, attribute === "node" ? /^\/nix\/store\/.*\/bin\/node$/ : /^s$/);
    return filesRead.filter(({ path }) => path.includes("/pkgs/")).length;
  };
  assert.is(await packages("plain"), 0);
  assert.ok((await packages("node")) > 20);
});

test("what loads files later belongs to the engine alone", async () => {
  const text =
    'import { createRequire } from "node:module";\nexport default createRequire("file:///@floe/vm-tests/vm-test.ts");';
  for (const file of ["vm-tests/vm-test.ts", "a.ts"]) {
    const folder = makeFolder({
      [file]: text,
      "flake.config.ts": flakeText("{ a: typeof later }", `import later from "./${file}";`),
    });
    assert.is((await errorOf(ask(flakeIn(folder), "a"))).code, "evaluation.import-refused");
  }
});

test("a stack that overflows is told at the same place, wherever its end was met", async () => {
  for (const depth of [0, 1, 2, 3]) {
    const calls = `${"(() => ".repeat(depth)}first()${")()".repeat(depth)}`;
    const text = flakeText(
      `{ a: ${calls} }`,
      "const first = (): number => second();\nconst second = (): number => first();",
    );
    const { at } = await errorOf(ask(flakeIn(makeFolder({ "flake.config.ts": text })), "a"));
    assert.is(at?.line, 2);
  }
});

test.run();

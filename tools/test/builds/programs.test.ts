/** Builders in TypeScript, in the sandbox and with the runtime that flakes get. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { writeFiles } from "../../../core/host/evaluator/testing.ts";
import { ROOT } from "../../checks/source-tree.ts";
import { openFoundation } from "./foundation.ts";

const test = suite("programs");
const { floe, ok, place, folder, close } = openFoundation();
test.after(close);

const PROGRAM = `import { defineProgram } from "#floe/program";
import { shout } from "./words/shout.ts";
import type { Tools } from "./tools.ts";

export default defineProgram<{ readonly title: string; readonly tools: Tools; readonly linked: string }>(
  async ({ inputs: { title, tools, linked }, out, outputs, run, write, list, say }) => {
    say("it begins");
    write(\`\${out}/title\`, shout(title));
    write(\`\${out}/linked\`, \`\${linked}\\n\`);
    write(\`\${outputs["doc"]}/copy\`, await run(\`\${tools.coreutils}/bin/cat\`, [\`\${out}/title\`]));
    say(list(out).map(({ name }) => name).join());
  },
);
`;

const FLAKE = `import { defineFlake } from "#floe/flake";
import { nativeOf } from "#floe/package";
import pages from "./pages.build.ts";
import wrong from "./wrong.build.ts";

export default defineFlake({
  inputs: { floe: "git+file://${ROOT}" },
  outputs({ inputs }) {
    const native = inputs.floe.packages["x86_64-linux"];
    const pagesOf = (pkgs: typeof native) =>
      pkgs.runProgram(pages, {
        name: "pages",
        outputs: ["out", "doc"],
        inputs: { title: "a title", tools: { coreutils: nativeOf(pkgs.coreutils) }, linked: \`\${pkgs.zlib}/lib\` },
      });
    return {
      packages: {
        "x86_64-linux": {
          default: pagesOf(native),
          get cross() {
            return pagesOf(native.cross.aarch64);
          },
          get wrong() {
            return native.runProgram(wrong, { name: "wrong" });
          },
        },
      },
    };
  },
});
`;

function begin(): string {
  const path = folder();
  writeFiles(path, {
    "flake.config.ts": FLAKE,
    "pages.build.ts": PROGRAM,
    "tools.ts": "export interface Tools {\n  readonly coreutils: string;\n}\n",
    "words/shout.ts": "export const shout = (text: string): string => text.toUpperCase();\n",
    "wrong.build.ts": `import { defineProgram } from "#floe/program";\n\nexport default defineProgram(({ read }) => {\n  read("nowhere");\n});\n`,
  });
  return path;
}

test("runProgram() runs a program with the modules that it imports, and depends on what its inputs name", async () => {
  const path = begin();
  const [{ outputs }] = JSON.parse(await ok(path, "build", ".^*", "--no-link", "--json"));
  const read = (file: string): string => readFileSync(place(file), "utf8");
  assert.is(read(`${outputs.out}/title`), "A TITLE");
  assert.is(read(`${outputs.doc}/copy`), "A TITLE");
  assert.match(read(`${outputs.out}/linked`), /^\/nix\/store\/.{32}-zlib-[^/]*\/lib\n$/);
  assert.match(await ok(path, "log", "."), /^it begins\nlinked,title$/m);
  // What the result names is kept with it; what only ran is not.
  const references = await ok(path, "store", "info", "-r", outputs.out);
  assert.match(references, /-zlib-/);
  assert.not.match(references, /-coreutils-|-nodejs-|-program/);
});

test("runProgram() of a cross set takes what the program runs from the platform that builds", async () => {
  const path = begin();
  const derivation = async (attribute: string) => {
    const shown = JSON.parse(await ok(path, "derivation", "show", attribute));
    const [{ inputDrvs, system }] = Object.values(shown) as { inputDrvs: object; system: string }[] as [never];
    const named = (name: string) => Object.keys(inputDrvs).find((each) => each.includes(`-${name}-`));
    return { system, coreutils: named("coreutils"), nodejs: named("nodejs"), zlib: named("zlib") };
  };
  const [native, cross] = [await derivation(".#default"), await derivation(".#cross")];
  const { zlib, ...same } = native;
  assert.ok(same.coreutils !== undefined && same.nodejs !== undefined && zlib !== undefined);
  assert.equal(cross, { ...same, zlib: cross.zlib });
  assert.is.not(cross.zlib, zlib);
});

test("a program that fails says so at the line of its own file", async () => {
  const { code, stderr } = await floe(begin(), "build", ".#wrong", "--no-link");
  assert.is(code, 100);
  assert.match(stderr, "> wrong.build.ts:4:3: error: ENOENT");
});

test("floe flake check finds inputs of a program that are of the wrong type, missing or too many", async () => {
  const path = begin();
  const text = FLAKE.replace('title: "a title", ', "title: 5, shown: 1, ").replace("linked: ", "link: ");
  writeFiles(path, { "flake.config.ts": text });
  const { code, stderr } = await floe(path, "flake", "check", "--no-build");
  assert.is(code, 1);
  const line = text.split("\n").findIndex((each) => each.includes("title: 5")) + 1;
  assert.match(stderr, new RegExp(`^flake\\.config\\.ts:${line}:\\d+: error: Cannot take the types for right`, "m"));
});

test.run();

/** The runner of programs with the Node of this house, outside of any sandbox. */
import { spawn } from "node:child_process";
import { chmodSync, readFileSync, readlinkSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeFolder } from "../../core/host/evaluator/testing.ts";

const test = suite("run-program.ts");

interface Ran {
  readonly code: number | null;
  readonly log: string;
  readonly out: string;
  readonly doc: string;
}

/** Run a program, whose function has this body, with these inputs. */
async function run(
  body: string,
  inputs: object = {},
  more: Readonly<Record<string, string>> = {},
  entry = "x.build.ts",
): Promise<Ran> {
  const text = `import { defineProgram } from "#floe/program";\n\nexport default defineProgram<any>(async (build) => {\n${body}\n});\n`;
  const folder = makeFolder({
    "a program/x.build.ts": text,
    "inputs.json": JSON.stringify(inputs),
    "work/kept": "",
    ...more,
  });
  const [out, doc] = [join(folder, "out"), join(folder, "doc")];
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "run-program.ts"), join(folder, "a program"), entry],
    {
      cwd: join(folder, "work"),
      env: { inputsPath: join(folder, "inputs.json"), outputs: "out doc", out, doc, NIX_BUILD_CORES: "3", HERE: "yes" },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let log = "";
  child.stderr.setEncoding("utf8").on("data", (part: string) => (log += part));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  return { code, log, out, doc };
}

test("a program gets its inputs, the places of its outputs and the directory of the build", async () => {
  const { code, log, out, doc } = await run(
    `const { inputs, out, outputs, cores, write, list, say } = build;
    write(\`\${out}/a/b\`, JSON.stringify({ inputs, cores, outputs: Object.keys(outputs), here: list(".") }));
    write(outputs.doc, new Uint8Array([1, 255]), { executable: true });
    say("a line");`,
    { title: "é", sizes: [1.5, null] },
  );
  assert.is(code, 0, log);
  assert.is(log, "a line\n");
  assert.equal(JSON.parse(readFileSync(join(out, "a/b"), "utf8")), {
    inputs: { title: "é", sizes: [1.5, null] },
    cores: 3,
    outputs: ["out", "doc"],
    here: [{ name: "kept", kind: "file" }],
  });
  assert.equal([...readFileSync(doc)], [1, 255]);
  assert.is(statSync(doc).mode & 0o777, 0o755);
});

test("a program reads, copies, links, lists and removes files", async () => {
  const { code, log, out } = await run(
    `const { inputs, out, read, readBytes, write, copy, link, list, exists, makeFolder, remove } = build;
    copy(inputs.from, \`\${out}/copy\`);
    write(\`\${out}/copy/sealed/added\`, read(\`\${out}/copy/sealed/file\`) + readBytes(\`\${out}/copy/sealed/file\`).length);
    link("nowhere", \`\${out}/links/\u{1F600}\`);
    makeFolder(\`\${out}/links/\uFF5E\`);
    remove(\`\${out}/copy/gone\`);
    remove(\`\${out}/copy/never-there\`);
    write(\`\${out}/found\`, JSON.stringify([exists(\`\${out}/links/\u{1F600}\`), exists(\`\${out}/copy/gone\`), list(\`\${out}/links\`)]));`,
    { from: sealedFolder() },
  );
  assert.is(code, 0, log);
  assert.is(readFileSync(join(out, "copy/sealed/added"), "utf8"), "text4");
  assert.is(readlinkSync(join(out, "copy/link")), "sealed/file");
  // Names in the order of their bytes, which is not that of UTF-16.
  assert.equal(JSON.parse(readFileSync(join(out, "found"), "utf8")), [
    true,
    false,
    [
      { name: "\uFF5E", kind: "directory" },
      { name: "\u{1F600}", kind: "symlink" },
    ],
  ]);
});

/** A folder as the store has them: nothing in it can be written. */
function sealedFolder(): string {
  const folder = makeFolder({ "sealed/file": "text", gone: "" });
  symlinkSync("sealed/file", join(folder, "link"));
  for (const name of ["sealed/file", "sealed", "gone", "."]) chmodSync(join(folder, name), 0o555);
  process.prependOnceListener("exit", () => ["sealed", "."].forEach((name) => chmodSync(join(folder, name), 0o755)));
  return folder;
}

test("what a program copies can be written", async () => {
  const { out } = await run("build.copy(build.inputs.from, build.out);", { from: sealedFolder() });
  assert.equal(
    [".", "sealed", "sealed/file"].map((name) => statSync(join(out, name)).mode & 0o777),
    [0o755, 0o755, 0o755],
  );
});

test("a program imports files by their names, whatever these mean in addresses, and its errors name them so", async () => {
  const name = "a#b?c%20d (é).ts";
  const text = "export const fail = (): never => {\n  throw new Error('no');\n};\n";
  const lines = [
    'import { defineProgram } from "#floe/program";',
    `import { fail } from "./${name}";`,
    "export default defineProgram(() => fail());",
  ];
  const entry = "x#1?.build.ts";
  const { code, log } = await run(
    "",
    {},
    { [`a program/${entry}`]: lines.join("\n"), [`a program/${name}`]: text },
    entry,
  );
  assert.is(code, 1);
  assert.match(log, `${name}:2:9: error: no\n`, log);
  assert.match(log, `at ${entry}:3:`);
});

test("run() gives what a program writes, with its input, variables and folder", async () => {
  const body = `const { out, run, write, makeFolder } = build;
    makeFolder("below");
    const script = 'cat; echo "$HERE $MORE $(basename "$PWD")"; echo to the log >&2';
    write(out, await run("/bin/sh", ["-c", script], { cwd: "below", env: { MORE: "more" }, input: "in\\n" }));`;
  const { code, log, out } = await run(body);
  assert.is(code, 0, log);
  assert.is(readFileSync(out, "utf8"), "in\nyes more below\n");
  assert.is(log, "to the log\n");
});

test("a program imports what lies beside it", async () => {
  const { code, log, out } = await run(
    "",
    {},
    {
      "a program/x.build.ts": `import { defineProgram } from "#floe/program";
import later from "./later.json" with { type: "json" };
import { plain } from "./plain.js";
import type { Gone } from "./gone.ts";

export default defineProgram<Gone>(({ out, write }) => write(out, plain(later.word)));
`,
      "a program/later.json": '{ "word": "later" }',
      "a program/plain.js": "export const plain = (word) => `${word}!`;\n",
    },
  );
  assert.is(code, 0, log);
  assert.is(readFileSync(out, "utf8"), "later!");
  assert.is(log, "");
});

const FAILURES: readonly (readonly [what: string, body: string, log: RegExp])[] = [
  ["a file that is not there", 'build.read("nowhere");', /^x\.build\.ts:4:7: error: ENOENT: .*'nowhere'\n$/],
  [
    "a program that fails",
    'await build.run("/bin/sh", ["-c", "exit 3"]);',
    /^x\.build\.ts:4:13: error: Cannot run "\/bin\/sh": it ended with 3\n$/,
  ],
  ["a program that is killed", 'await build.run("/bin/sh", ["-c", "kill -9 $$"]);', /it was ended by SIGKILL\n$/],
  [
    "a program that is not there",
    'await build.run("/nowhere");',
    /^x\.build\.ts:4:13: error: Cannot run "\/nowhere": .*ENOENT/,
  ],
  [
    "a text that is none",
    'build.write("x", new Uint8Array([255])); build.read("x");',
    /^x\.build\.ts:4:48: error: .*not valid/,
  ],
  [
    "an error of its own, with the calls before it",
    "inner();\nfunction inner() { throw new Error('oh') }",
    /^x\.build\.ts:5:26: error: oh\n {2}at x\.build\.ts:4:1\n$/,
  ],
  ["something thrown that is no error", "throw 'oh';", /^x\.build\.ts: error: the program threw oh\n$/],
  [
    "a promise that nobody keeps",
    "await new Promise(() => {});",
    /^x\.build\.ts: error: Cannot end the program: it waits/,
  ],
];
for (const [what, body, log] of FAILURES) {
  test(`a program ends with 1, and says where: ${what}`, async () => {
    const ran = await run(body);
    assert.is(ran.code, 1);
    assert.match(ran.log, log);
  });
}

test("a file whose default export is no program is refused", async () => {
  const ran = await run("", {}, { "a program/x.build.ts": "export default () => {};\n" });
  assert.is(ran.code, 1);
  assert.match(ran.log, /^x\.build\.ts: error: Cannot run "x\.build\.ts": its default export is no program/);
});

test.run();

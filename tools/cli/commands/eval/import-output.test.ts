import { readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CliResult, runFloe, temporaryDirectory } from "../../testing.ts";
import { writeFlake } from "../../testing-flake.ts";

const test = suite("evaluations that read outputs");
const folder = temporaryDirectory();
const store = temporaryDirectory();
const env = { XDG_CACHE_HOME: temporaryDirectory() };
const run = (...words: string[]): Promise<CliResult> => runFloe([...words, "--store", store], { cwd: folder, env });

const PACKAGES = `
  get chain() { return shell("chain", \`echo \${readOutput(\`\${link}\`).trim()} three > $out\`); },
  get refused() { return shell("refused", \`echo \${readOutput(\`\${failing}\`)} > $out\`); },
`;
const MORE = `
  description: "Reads what it builds",
`;
writeFlake(folder, PACKAGES, MORE);
const file = `${folder}/flake.config.ts`;
writeFileSync(
  file,
  readFileSync(file, "utf8")
    .replace(
      'import { defineFlake } from "#floe/flake";',
      'import { defineFlake } from "#floe/flake";\nimport { declare, defineModule, evaluateModules, option } from "#floe/module";',
    )
    .replace(
      "export default",
      `const link = { toString: () => \`\${shell("link", \`echo \${readOutput(\`\${shell("start", "echo one > $out")}\`).trim()} two > $out\`)}\` };
const failing = shell("failing", "echo no luck >&2; exit 1");
const wide = (name: string) => shell(name, \`echo \${name} > $out\`);
const module = (name: string) =>
  defineModule(declare(name, { text: option.str({ default: "" }) }), ({ define }) => {
    define({ [name]: { text: readOutput(\`\${wide(name)}\`).trim() } } as never);
  });
export default`,
    )
    .replace(
      "({ packages:",
      `({
      get many() { return ["a", "b", "c"].map((name) => ({ get text() { return readOutput(\`\${wide(name)}\`); } })); },
      get options() { return evaluateModules({ modules: [module("d"), module("e")] }).config; },
      get caught() { try { return readOutput(\`\${shell("caught", "echo caught > $out")}\`); } catch { return "nothing"; } },
      get missing() { return readOutput(\`\${wide("f")}/other\`); },
      get outside() { return readOutput(\`\${wide("g")}/../../../../etc/passwd\`); },
      get plain() { return readOutput("/etc/passwd"); },
      packages:`,
    ),
);
const rounds = ({ stderr }: CliResult): string[] =>
  stderr.split("\n").filter((line) => line.startsWith("Building for the evaluation: "));

test("what is read of outputs is built first: one after the other where one needs the other", async () => {
  const built = await run("build", ".#chain", "--no-link", "--print-out-paths");
  assert.is(built.code, 0, built.stderr);
  assert.is(readFileSync(`${store}${built.stdout.trim()}`, "utf8"), "one two three\n");
  assert.is(rounds(built).length, 2, built.stderr);
  // From the record, or at least without a build.
  const again = await run("build", ".#chain", "--no-link", "--print-out-paths");
  assert.equal([again.stdout, rounds(again)], [built.stdout, []]);
});

test("parts that do not need each other are left and go on together: one round for all", async () => {
  const many = await run("eval", ".#many");
  assert.equal(JSON.parse(many.stdout), [{ text: "a\n" }, { text: "b\n" }, { text: "c\n" }], many.stderr);
  assert.is(rounds(many).length, 1, many.stderr);
  const rules = await run("eval", ".#options");
  assert.equal(JSON.parse(rules.stdout), { d: { text: "d" }, e: { text: "e" } }, rules.stderr);
  assert.is(rounds(rules).length, 1, rules.stderr);
});

test("configuration that catches what leaves it gets its text all the same", async () => {
  assert.is((await run("eval", "--raw", ".#caught")).stdout, "caught\n");
});

test("an output that cannot be built is told at the line that reads it", async () => {
  const { code, stderr } = await run("build", ".#refused", "--no-link");
  assert.is(code, 100);
  assert.match(stderr, "no luck");
  assert.match(stderr, /^flake\.config\.ts:\d+:\d+: error: .*failing/m);
});

test("flake show and check tell it as a fault of the member that reads it", async () => {
  const shown = await run("flake", "show", "--json");
  assert.is(shown.code, 0, shown.stderr);
  const platform = `${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux`;
  const { chain, refused } = JSON.parse(shown.stdout).packages[platform] as Record<string, { type: string }>;
  assert.equal([chain?.type, refused?.type], ["package", "error"]);
  const checked = await run("flake", "check", "--no-types");
  assert.is(checked.code, 1);
  assert.match(checked.stderr, /^flake\.config\.ts:\d+:\d+: error: .*failing/m);
});

test("evaluation.build-refused, derivation.no-output-path: what may not be read", async () => {
  const refused = await run("eval", ".#missing", "--no-allow-import-from-derivation");
  assert.match(refused.stderr, /^flake\.config\.ts:\d+:\d+: error: .*\[evaluation\.build-refused\]/m);
  const missing = await run("eval", ".#missing");
  assert.is(missing.code, 1);
  assert.match(missing.stderr, /^flake\.config\.ts:\d+:\d+: error: Cannot read .*\[source\./m);
  for (const name of ["outside", "plain"]) {
    const none = await run("eval", `.#${name}`);
    assert.is(none.code, 1);
    assert.not.match(none.stdout, "root:");
  }
  assert.match((await run("eval", ".#plain")).stderr, "[derivation.no-output-path]");
});

test("an answer holds only as long as the output that was read is there", async () => {
  const before = await run("eval", "--raw", ".#caught");
  assert.equal(rounds(before), []);
  const deleted = await run("store", "gc");
  assert.is(deleted.code, 0, deleted.stderr);
  const after = await run("eval", "--raw", ".#caught");
  assert.equal([after.stdout, rounds(after).length], ["caught\n", 1]);
});

test.run();

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { VmTestManifest } from "../../../../vm-tests/index.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";
import { isVmTest, loadStory } from "../../../../vm-tests/driver/index.ts";

const directory = temporaryDirectory();
const flake = join(directory, "flake");
const env = { XDG_CACHE_HOME: join(directory, "cache") };

mkdirSync(flake);
writeFileSync(
  join(flake, "flake.config.ts"),
  `import { derivation } from "#floe/derivation";
import { defineFlake } from "#floe/flake";

const image = derivation({ name: "image", system: "x86_64-linux", builder: "/bin/sh" });
export default defineFlake({
  outputs: () => ({
    vmTests: {
      first: { type: "vmTest", name: "first", description: "It shows the first thing.", story: "story.ts", platforms: ["x86_64-linux", "aarch64-linux"], tags: ["smoke"], machines: { m: { storeImage: \`\${image}\` } } },
    },
    other: { a: 1 },
  }),
});
`,
);

function floe(...words: string[]) {
  return runFloe(words, { cwd: flake, env });
}

const manifest: VmTestManifest = {
  type: "vmTest",
  name: "first",
  description: "",
  story: "story.mjs",
  platforms: ["x86_64-linux"],
  tags: [],
  machines: {},
  programs: { node: "", path: [] },
};

test("floe vm-test list names tests and what they show", async () => {
  const listed = await floe("vm-test", "list");
  assert.is(listed.stdout, "first  It shows the first thing. (x86_64-linux, aarch64-linux) #smoke\n", listed.stderr);
  assert.equal(JSON.parse((await floe("vm-test", "list", "--json")).stdout), [
    {
      name: "first",
      description: "It shows the first thing.",
      platforms: ["x86_64-linux", "aarch64-linux"],
      tags: ["smoke"],
    },
  ]);
});

test("floe vm-test run --direct without QEMU says what to install, before anything else", async () => {
  const result = await runFloe(["vm-test", "run", "--direct", "first"], {
    cwd: flake,
    env: { ...env, PATH: directory },
  });
  assert.is(result.code, 1);
  assert.match(result.stderr, "[qemu.missing]");
  assert.match(result.stderr, "apt-get install qemu-system-x86");
});

test("floe vm-test run looks for all tests before it runs the first", async () => {
  const result = await floe("vm-test", "run", "first", "frist");
  assert.is(result.code, 1);
  assert.match(result.stderr, "evaluated vmTests.first");
  assert.match(result.stderr, "frist");
  assert.is(result.stdout, "", "nothing was run");
});

test("floe vm-test run for a platform needs its QEMU, and a test that declares the platform", async () => {
  const without = await runFloe(["vm-test", "run", "--direct", "first", "--platform", "aarch64-linux"], {
    cwd: flake,
    env: { ...env, PATH: directory },
  });
  assert.match(without.stderr, "apt-get install qemu-system-arm");
  const result = await floe("vm-test", "run", "first", "--platform", "aarch64-linux");
  assert.is(result.code, 1);
  assert.match(result.stderr, "[vm-test.no-platform]");
  assert.match(result.stderr, "floe vm-test list");
});

test("floe vm-test run says what is no machine test", async () => {
  const odd = join(directory, "odd");
  mkdirSync(odd);
  const config = readFileSync(join(flake, "flake.config.ts"), "utf8");
  writeFileSync(join(odd, "flake.config.ts"), config.replace("first: {", "odd: image, first: {"));
  const result = await runFloe(["vm-test", "run", "odd"], { cwd: odd, env });
  assert.is(result.code, 1);
  assert.match(result.stderr, "[vm-test.not-a-test]");
});

test("floe vm-test report makes a page and results of the records that are there", async () => {
  const records = join(directory, "records");
  for (const [name, ok] of [
    ["first", true],
    ["second", false],
  ] as const) {
    mkdirSync(join(records, name), { recursive: true });
    const events = [
      { at: 0, kind: "run", name, accelerator: "tcg", reason: "asked for", folder: "" },
      { at: 3, kind: "result", ok, seconds: 3 },
    ];
    writeFileSync(join(records, name, "events.ndjson"), events.map((event) => `${JSON.stringify(event)}\n`).join(""));
  }
  const junit = join(directory, "junit.xml");
  const made = await floe("vm-test", "report", records, "--junit", junit);
  assert.is(made.stdout, "passed first (3.0 s)\nfailed second (3.0 s)\n", made.stderr);
  assert.match(made.stderr, `report: ${join(records, "report.html")}`);
  assert.match(readFileSync(join(records, "report.html"), "utf8"), "<title>2 vm-tests</title>");
  assert.match(readFileSync(junit, "utf8"), `<testsuites tests="2" failures="1" errors="0">`);
  const told = JSON.parse((await floe("vm-test", "report", join(records, "second"), "--json")).stdout);
  assert.equal(told, [{ name: "second", outcome: "failed", attempts: 1, seconds: 3, folder: join(records, "second") }]);
  const missing = await floe("vm-test", "report", join(directory, "nothing"));
  assert.is(missing.code, 1);
  assert.match(missing.stderr, "[vm-test.no-record]");
});

test("floe build of a value that refers to nothing says so", async () => {
  const result = await floe("build", ".#other");
  assert.is(result.code, 1);
  assert.match(result.stderr, "[installable.nothing-to-build]");
});

test("isVmTest() knows a test from other data", () => {
  assert.is(isVmTest(manifest), true);
  for (const other of [null, { a: 1 }, { type: "package" }, "vmTest"]) assert.is(isVmTest(other), false);
});

test("loadStory() takes the script of the file's default export", async () => {
  writeFileSync(
    join(directory, "story.mjs"),
    `export default { name: "first", script: async () => {}, allowConsole: [/x/] };`,
  );
  const story = await loadStory(manifest, directory);
  assert.is(story.file, join(directory, "story.mjs"));
  assert.type(story.script, "function");
  assert.equal(story.allowConsole, [/x/]);
});

test("loadStory() gives the running Floe to a story of a flake elsewhere, whatever its own package says", async () => {
  const elsewhere = join(directory, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "package.json"), '{"type":"module","imports":{"#floe/*":"./missing/*.ts"}}');
  writeFileSync(
    join(elsewhere, "page.ts"),
    `import { compareText } from "#floe/base";\nexport const page: number = compareText("a", "b");\n`,
  );
  writeFileSync(
    join(elsewhere, "story.ts"),
    `import { vmTest } from "#floe/vm-test";
import { page } from "./page.ts";
export default vmTest({
  name: "first",
  description: String(page),
  machines: { machine: { config: {} } },
  async script({ machine }) {
    await machine.start();
  },
});
`,
  );
  const { script, allowConsole } = await loadStory({ ...manifest, story: "story.ts" }, elsewhere);
  assert.type(script, "function");
  assert.equal(allowConsole, []);
});

test("loadStory() tells why a file cannot be imported", async () => {
  writeFileSync(join(directory, "lost.mjs"), `import "#floe/nothing";`);
  const error = await loadStory({ ...manifest, story: "lost.mjs" }, directory).catch((caught) => caught);
  assert.is(error.code, "vm-test.no-story");
  assert.match(error.message, "nothing");
});

test("loadStory() refuses a file that is not that story", async () => {
  writeFileSync(join(directory, "other.mjs"), `export default { name: "second", script: async () => {} };`);
  const error = await loadStory({ ...manifest, story: "other.mjs" }, directory).catch((caught) => caught);
  assert.is(error.code, "vm-test.no-story");
});

test.run();

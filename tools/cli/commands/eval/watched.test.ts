import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { findProgram } from "../../../../core/host/process/find-program.ts";
import { type CliResult, floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";

const folder = temporaryDirectory();
const TEXT = `import { defineFlake } from "#floe/flake";
function add(a: number, b: number): number {
  const sum = a + b;
  return sum;
}
export default defineFlake({
  outputs() {
    return {
      get busy() {
        let n = 0;
        for (let i = 0; i < 30_000_000; i++) n += i % 7;
        return n;
      },
      get sum() {
        console.warn("careful");
        return add(1, 2);
      },
      get stopping() {
        debugger;
        return add(3, 4);
      },
      get bad() {
        const reason = { words: ["no", "way"] };
        throw new TypeError(\`it is \${reason.words[0]}\`);
      },
    };
  },
});
`;
writeFileSync(`${folder}/flake.config.ts`, TEXT);
const lineOf = (text: string): number => TEXT.slice(0, TEXT.indexOf(text)).split("\n").length;
const store = temporaryDirectory();
const env = { XDG_CACHE_HOME: temporaryDirectory() };
const run = (input: readonly string[], ...words: string[]): Promise<CliResult> =>
  runFloe([...words, "--store", store], { cwd: folder, env, input: `${input.join("\n")}\n` });

test("--eval-profile writes collapsed stacks, or what V8 has, and says which files take long", async () => {
  for (const name of ["first.folded", "second.folded"]) {
    // The second time there would be a record of the answer.
    const { code, stderr } = await run([], "eval", ".#busy", "--eval-profile", name);
    assert.is(code, 0, stderr);
    assert.match(stderr, /^Wrote \S+\.folded: \d+ ms of evaluation\n +\d+\.\d ms {2}flake\.config\.ts\n/m);
    const lines = readFileSync(`${folder}/${name}`, "utf8").trim().split("\n");
    for (const line of lines) assert.match(line, /^\S.* \d+$/);
    const busy = lines.find((line) => line.includes(`get busy flake.config.ts:${lineOf("get busy")}`));
    assert.ok(busy !== undefined, lines.join("\n"));
  }
  const { code } = await run([], "eval", ".#busy", "--eval-profile", "a.cpuprofile");
  assert.is(code, 0);
  const { nodes, samples } = JSON.parse(readFileSync(`${folder}/a.cpuprofile`, "utf8"));
  assert.ok(samples.length > 0);
  const urls = nodes.map((node: { callFrame: { url: string } }) => node.callFrame.url);
  assert.ok(urls.includes(`${folder}/flake.config.ts`));
});

test("--break stops at a line; :bt, :env, :st and expressions tell what is there, :n and :o go on", async () => {
  const at = `flake.config.ts:${lineOf("const sum")}`;
  const { code, stdout, stderr } = await run(
    [":bt", ":env", "a + b", ":st 1", "a", ":st 9", ":n", ":env", "[sum, { a }]", "nothing", ":o", ":c"],
    ...["eval", ".#sum", "--break", at],
  );
  assert.is(code, 0, stderr);
  assert.match(stderr, `stopped at a break point: add at ${folder}/${at}:`);
  assert.match(
    stdout,
    new RegExp(`^\\* {2}0 {2}add at .*\n {3}1 {2}get sum at .*:${lineOf("return add(1, 2)")}:`, "m"),
  );
  assert.match(stdout, /^local add:\n {2}a = 1\n {2}b = 2\n {2}sum = /m);
  assert.match(stdout, /^3$/m);
  // The caller does not see it.
  assert.match(stderr, /^ReferenceError: a is not defined$/m);
  assert.match(stderr, "There are calls 0 to 1");
  assert.match(stderr, `stepped: add at ${folder}/flake.config.ts:${lineOf("return sum")}:`);
  assert.match(stdout, /^ {2}sum = 3$/m);
  assert.match(stdout, /^\[3, .*\]$/m);
  assert.match(stderr, /^ReferenceError: nothing is not defined$/m);
  assert.match(stderr, /^stepped: get sum at /m);
  assert.match(stdout, /\n3\n?$/);
});

test("--debugger stops at debugger and at errors, and :s goes into calls", async () => {
  const stopped = await run(
    [":s", ":s", "a", ":b flake.config.ts:4", ":c", "sum", ":c"],
    "eval",
    ".#stopping",
    "--debugger",
  );
  assert.is(stopped.code, 0, stopped.stderr);
  assert.match(
    stopped.stderr,
    `stopped at debugger: get stopping at ${folder}/flake.config.ts:${lineOf("debugger;")}:`,
  );
  assert.match(stopped.stderr, /^stepped: add at /m);
  assert.match(stopped.stdout, /^3\n7\n7$/m);
  const failed = await run(["reason.words", ":c"], "eval", ".#bad", "--debugger");
  assert.is(failed.code, 1);
  assert.match(failed.stderr, `stopped at an error: get bad at ${folder}/flake.config.ts:${lineOf("throw")}:`);
  assert.match(failed.stderr, /^TypeError: it is no$/m);
  assert.match(failed.stdout, '["no", "way"]');
  // Then it fails as it does without a debugger.
  assert.match(failed.stderr, "[evaluation.failed]");
});

test("--debugger-on-warn stops where the configuration warns; :q ends the evaluation", async () => {
  const { code, stderr } = await run([":q"], "eval", ".#sum", "--debugger-on-warn");
  assert.is(code, 1);
  assert.match(stderr, `stopped at a warning: get sum at ${folder}/flake.config.ts:${lineOf("console.warn")}:`);
  assert.not.match(stderr, /^careful$/m);
  assert.match(stderr, "[evaluation.given-up]");
});

test("a debugger that nobody talks to lets the evaluation go on", async () => {
  const { code, stdout } = await runFloe(["eval", ".#stopping", "--debugger", "--store", store], { cwd: folder, env });
  assert.equal([code, stdout.trim()], [0, "7"]);
});

const SCRIPT = findProgram("script");
if (SCRIPT === undefined) console.log("skipped: script is not installed");
(SCRIPT === undefined ? test.skip : test)("Ctrl-C at a stop ends the command, and not only the talk", async () => {
  const words = [process.execPath, ...floeCommand(), "eval", ".#stopping", "--debugger", "--store", store];
  const command = words.map((word) => `'${word}'`).join(" ");
  const child = spawn(SCRIPT as string, ["--quiet", "--return", "--command", command, "/dev/null"], {
    cwd: folder,
    env: { ...process.env, ...env, TERM: "xterm", NO_COLOR: "1", SHELL: "/bin/sh" },
  });
  let shown = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    if (text.includes("debug> ")) child.stdin.write("\u0003");
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  assert.is(code, 130, shown);
  assert.not.match(shown, /^7\r?$/m);
});

test("floe repl --debugger asks between the questions", async () => {
  const { code, stdout, stderr } = await run(
    ["40 + 2", "outputs.stopping", ":bt", ":c", "outputs.bad", ":q", "5 + 5"],
    ...["repl", "--debugger"],
  );
  assert.is(code, 0, stderr);
  assert.match(stdout, /^42\n\* {2}0 {2}get stopping at .*\n {3}1 {2}default at <expression>:1:9\n7\n10\n$/);
});

test("--break wants a file and a line of a source", async () => {
  const place = await run([], "eval", ".#sum", "--break", "flake.config.ts");
  assert.match(place.stderr, "[cli.bad-place]");
  const none = await run([], "eval", ".#sum", "--break", "none.ts:1");
  assert.match(none.stderr, "[evaluation.no-such-line]");
});

test.run();

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../../../../vm-tests/qemu-wrapper/testing.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";
import { writeStories } from "./testing-stories.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const directory = temporaryDirectory();
const flake = join(directory, "flake");
const store = join(directory, "store");
const env = {
  XDG_CACHE_HOME: join(directory, "cache"),
  XDG_STATE_HOME: join(directory, "state"),
  GITHUB_ACTIONS: undefined,
  FLAKY_FILE: join(directory, "flaky"),
  FILES: join(directory, "files"),
};

/** A story that comes to its end when another one runs at the same time. */
function meetingStory(name: string, other: string): string {
  return `const { existsSync, writeFileSync } = await import("node:fs" as string);
    const { process, setTimeout } = globalThis as any;
    writeFileSync(\`\${process.env.FILES}/${name}\`, "");
    await step("they meet", async () => {
      while (!existsSync(\`\${process.env.FILES}/${other}\`)) await new Promise((resolve) => setTimeout(resolve, 50));
    });`;
}

const files = join(directory, "files");
mkdirSync(files);

writeStories(
  flake,
  {
    one: `await step("it is as wanted", () => assert.equal(1 + 1, wanted));`,
    two: `note("nothing to do");`,
    three: `await step("a step", () => {});`,
    red: `await step("it goes wrong", () => assert.equal(1, wanted));`,
    flaky: `const { existsSync, writeFileSync } = await import("node:fs" as string);
    const file = (globalThis as any).process.env.FLAKY_FILE;
    await step("it goes wrong once", () => {
      if (existsSync(file)) return;
      writeFileSync(file, "");
      assert.equal("cold", "warm");
    });`,
    first: meetingStory("first", "second"),
    second: meetingStory("second", "first"),
    traced: `machine.start().catch(() => {});
    const { setTimeout } = globalThis as any;
    const said = (): string => {
      try {
        return machine.consoleText();
      } catch {
        return "";
      }
    };
    while (!said().includes("runs for ever")) await new Promise((resolve) => setTimeout(resolve, 50));
    await machine.pause();
    assert.equal("it has", "failed");`,
    endless: `await step("the machine boots", () => machine.start());`,
  },
  { one: ["quick"], two: ["quick"], three: ["quick"] },
);

const DIRECT = ["vm-test", "run", "--direct", "--accel", "tcg", "--store", store];

function floe(...words: string[]) {
  return runFloe(words, { cwd: flake, env });
}

withQemu(
  "run --shard runs every test in one of the shards, and their reports are merged to that of one run",
  async () => {
    const records = (name: string): string => join(directory, "records", name);
    const run = async (name: string, ...words: string[]): Promise<string[]> => {
      const result = await floe(...DIRECT, "--tag", "quick", "--output", records(name), ...words);
      assert.is(result.code, 0, result.stderr);
      return result.stdout.split("\n").flatMap((line) => /^passed (\w+)/.exec(line)?.[1] ?? []);
    };
    const shards = [];
    for (const shard of ["1/3", "2/3", "3/3"]) shards.push(await run(shard.replace("/", "-"), "--shard", shard));
    assert.equal(
      shards.map((names) => names.length),
      [1, 1, 1],
    );
    assert.equal(shards.flat().sort(), ["one", "three", "two"]);
    // One run with the very same records, wherever they come from.
    for (const shard of ["3-3", "1-3", "2-3"])
      for (const name of readdirSync(records(shard), { withFileTypes: true }).filter((each) => each.isDirectory()))
        cpSync(join(records(shard), name.name), join(records("all"), name.name), { recursive: true });
    const merge = async (...names: string[]): Promise<string> => {
      const file = join(directory, `${names.join("+")}.xml`);
      const merged = await floe(
        "vm-test",
        "report",
        ...names.map(records),
        "--junit",
        file,
        "--output",
        `${file}.html`,
      );
      assert.is(merged.code, 0, merged.stderr);
      const shown = readFileSync(file, "utf8") + readFileSync(`${file}.html`, "utf8") + merged.stdout;
      return shown.replaceAll(/records\/(\d-\d|all)/g, "records");
    };
    const whole = await merge("all");
    assert.is(await merge("1-3", "2-3", "3-3"), whole);
    assert.is(await merge("2-3", "3-3", "1-3"), whole);
    // And a run that was never divided says the same, but for its times.
    await run("whole");
    const undivided = await merge("whole");
    const timeless = (text: string): string =>
      text.slice(0, text.indexOf("<!doctype")).replaceAll(/time="[\d.]+"/g, "");
    assert.is(timeless(undivided).replaceAll("records/whole", "records"), timeless(whole));
  },
);

withQemu("report --durations writes down what --shard balances by", async () => {
  const file = join(directory, "durations.json");
  writeFileSync(file, '{ "elsewhere": 9 }');
  const made = await floe("vm-test", "report", join(directory, "records/all"), "--durations", file);
  assert.is(made.code, 0, made.stderr);
  assert.equal(Object.keys(JSON.parse(readFileSync(file, "utf8"))), ["elsewhere", "one", "three", "two"]);
  writeFileSync(join(directory, "odd.json"), '{ "one": 100, "two": 1, "three": 1 }');
  const odd = ["--durations", join(directory, "odd.json"), "--tag", "quick", "--output", join(directory, "odd")];
  const result = await floe(...DIRECT, ...odd, "--shard", "2/2");
  assert.match(result.stdout, /^passed (two|three) .*\npassed (two|three) .*\n$/);
  for (const [words, code] of [
    [["--shard", "3/2"], "vm-test.bad-shard"],
    [["--durations", "missing.json", "--shard", "1/2"], "vm-test.bad-durations"],
    [["--tag", "quick", "elsewhere#one"], "vm-test.cannot-choose"],
    [["on*"], ""],
    [["nothing*"], "vm-test.no-match"],
  ] as const) {
    const refused = await floe(...DIRECT, ...words);
    if (code === "") assert.match(refused.stdout, "passed one");
    else assert.match(refused.stderr, `[${code}]`);
  }
});

withQemu("run --retry tells a flake as a flake, in words, lines of JSON, JUnit and the report", async () => {
  const junit = join(directory, "flaky.xml");
  const output = join(directory, "flaky-records");
  const words = [...DIRECT, "--retry", "2", "--output", output, "--junit", junit, "one", "flaky"];
  const result = await floe(...words, "--reporter", "terminal", "--reporter", "json", "--jobs", "1");
  assert.is(result.code, 3, result.stderr);
  assert.match(result.stderr, "attempt 1: trying it again");
  assert.match(result.stderr, /^flaky flaky \(.* s, attempt 2\)$/m);
  assert.match(result.stderr, "1 passed, 1 flaky, 0 failed");
  const events = result.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { event: string; test?: string; attempt?: number; outcome?: string });
  assert.equal(
    events
      .filter(({ event }) => event === "test-end")
      .map(({ test: name, attempt, outcome }) => [name, attempt, outcome]),
    [
      ["one", 1, "passed"],
      ["flaky", 1, "failed"],
      ["flaky", 2, "flaky"],
    ],
  );
  assert.match(readFileSync(junit, "utf8"), /<flakyFailure message="[^"]*" type="attempt 1">/);
  assert.match(readFileSync(join(output, "report.html"), "utf8"), `"outcome":"flaky"`);
  const merged = await floe("vm-test", "report", output, "--json");
  assert.equal(
    (JSON.parse(merged.stdout) as { name: string; outcome: string; attempts: number }[]).map((run) => [
      run.name,
      run.outcome,
      run.attempts,
    ]),
    [
      ["flaky", "flaky", 2],
      ["one", "passed", 1],
    ],
  );
});

withQemu("run tells failures to GitHub at their line, on its machines unasked", async () => {
  const asked = ["red", "--retry", "1", "--output", join(directory, "red")];
  const result = await runFloe([...DIRECT, ...asked], { cwd: flake, env: { ...env, GITHUB_ACTIONS: "true" } });
  assert.is(result.code, 1, result.stderr);
  const [warning = "", failure = "", last] = result.stdout.split("\n");
  assert.match(warning, /^::warning file=red\.ts,line=8,col=\d+,title=vm-test red%2C attempt 1::/);
  assert.match(failure, /^failed red/m);
  assert.match(last ?? "", /^::error file=red\.ts,line=8,col=\d+,title=vm-test red::/);
  const json = await floe(...DIRECT, ...asked, "--json", "--reporter", "github", "--quiet");
  const text = json.stdout.slice(json.stdout.indexOf("[\n"));
  const [told] = JSON.parse(text) as { outcome: string; attempts: number }[];
  assert.equal([told?.outcome, told?.attempts], ["failed", 2]);
});

withQemu("run --timeout gives a test up, and says where it was", async () => {
  // A host that is slow gets time enough for its QEMU to have said something.
  for (let seconds = 2; ; seconds *= 3) {
    const words = ["endless", "--timeout", String(seconds), "--output", join(directory, `late-${seconds}`)];
    const result = await floe(...DIRECT, ...words);
    assert.is(result.code, 1);
    assert.match(result.stderr, "[vm-test.timeout]");
    if (seconds < 50 && !result.stderr.includes("a kernel that runs for ever")) continue;
    assert.match(result.stderr, "step: the machine boots");
    assert.match(result.stderr, "a kernel that runs for ever");
    return;
  }
});

withQemu("run --jobs runs as many tests at once as it says", async () => {
  const output = join(directory, "at-once");
  const result = await floe(...DIRECT, "first", "second", "--jobs", "2", "--timeout", "120", "--output", output);
  assert.is(result.code, 0, result.stderr);
});

withQemu("run --trace records what is said to QEMU, and a run without it does not", async () => {
  const output = join(directory, "traced");
  const trace = (name: string): string => join(output, name, "traced/machine/trace.ndjson");
  const run = async (name: string, ...more: string[]): Promise<void> => {
    const words = ["traced", "--output", join(output, name), ...more];
    const result = await floe(...DIRECT, ...words);
    assert.match(result.stderr, "it has", result.stderr);
  };
  await run("with", "--trace");
  const entries = readFileSync(trace("with"), "utf8").trimEnd().split("\n");
  assert.ok(
    entries.some((entry) => entry.includes('"stop"')),
    entries.join("\n"),
  );
  await run("without");
  assert.ok(existsSync(join(output, "without/traced/machine/argv.txt")));
  assert.not.ok(existsSync(trace("without")));
});

withQemu("run --jobs begins no more tests than there may be at once", async () => {
  const output = join(directory, "jobs");
  const result = await floe(...DIRECT, "one", "two", "three", "--jobs", "1", "--output", output, "--reporter", "json");
  const order = result.stdout.split("\n").flatMap((line) => /"event":"(test-begin|test-end)"/.exec(line)?.[1] ?? []);
  assert.equal(order, ["test-begin", "test-end", "test-begin", "test-end", "test-begin", "test-end"]);
});

test.run();

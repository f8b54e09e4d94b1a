import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../../../../vm-tests/qemu-wrapper/testing.ts";
import { floeCommand, runFloe, temporaryDirectory } from "../../testing.ts";
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
  FAULTS: join(directory, "faults"),
};

/** A story whose QEMU is killed while its guest runs, as often as the file of its name in the folder of faults says; else it passes. */
function faultyStory(name: string): string {
  return `const { readdirSync, readFileSync, writeFileSync } = await import("node:fs" as string);
    const { process, setTimeout } = globalThis as any;
    const file = \`\${process.env.FAULTS}/${name}\`;
    const faults = Number(readFileSync(file, "utf8"));
    writeFileSync(file, String(Math.max(0, faults - 1)));
    const said = (): string => {
      try {
        return machine.consoleText();
      } catch {
        return "";
      }
    };
    const isOurs = (pid: string): boolean => {
      try {
        const status = readFileSync(\`/proc/\${pid}/status\`, "utf8");
        return status.startsWith("Name:\\tqemu") && status.includes(\`PPid:\\t\${process.pid}\\n\`);
      } catch {
        return false;
      }
    };
    await step("the machine boots", async () => {
      if (faults === 0) return;
      const starting = machine.start();
      starting.catch(() => {});
      while (!said().includes("runs for ever")) await new Promise((resolve) => setTimeout(resolve, 50));
      for (const pid of readdirSync("/proc").filter(isOurs)) process.kill(Number(pid), "SIGSEGV");
      await starting;
    });`;
}

const faults = join(directory, "faults");
mkdirSync(faults);

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
    shaken: faultyStory("shaken"),
    broken: faultyStory("broken"),
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

/** Run a story whose QEMU is killed so many times. */
async function runFaulty(name: string, count: number, ...more: string[]) {
  writeFileSync(join(faults, name), String(count));
  const output = join(directory, `${name}-records`);
  const junit = join(directory, `${name}.xml`);
  const words = [...DIRECT, name, "--output", output, "--junit", junit, "--reporter", "terminal", "--reporter", "json"];
  const result = await floe(...words, ...more);
  const events = result.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown> & { readonly error?: { readonly code: string } });
  const ends = events.filter(({ event }) => event === "test-end");
  return { ...result, output, ends, last: events.at(-1), junit: readFileSync(junit, "utf8") };
}

withQemu("a test whose QEMU dies is run again by itself, passes, and is told with what befell it", async () => {
  const { code, stderr, ends, last, junit, output } = await runFaulty("shaken", 1);
  assert.is(code, 0, stderr);
  assert.match(stderr, /\(SIGSEGV\)/);
  assert.match(stderr, "what failed is this host, not what is tested");
  assert.match(stderr, "attempt 1: running it again, once");
  assert.match(stderr, /^passed shaken \(.* s, attempt 2; attempt 1 was ended by the host: machine\.qemu-died\)$/m);
  const [first, second] = ends as [(typeof ends)[0], (typeof ends)[0]];
  assert.equal([first["outcome"], first["isTriedAgain"], second["outcome"]], ["failed", true, "passed"]);
  const [told] = second["hostFaults"] as { attempt: number; folder: string; error: { code: string } }[];
  assert.equal([told?.attempt, told?.folder, told?.error.code], [1, join(output, "shaken"), first.error?.code]);
  assert.ok(existsSync(join(told?.folder ?? "", "machine/argv.txt")));
  assert.equal([last?.["passed"], last?.["afterHostFault"], last?.["failed"]], [1, 1, 0]);
  assert.match(junit, `<testsuites tests="1" failures="0" errors="0">`);
  assert.match(junit, /<flakyError message="[^"]*SIGSEGV[^"]*" type="attempt 1">/);
  const page = readFileSync(join(output, "shaken~2/report.html"), "utf8");
  assert.match(page, `"words":"passed after a fault of the host"`);
  assert.match(page, `"words":"failed by a fault of the host"`);
  const report = await floe("vm-test", "report", output);
  assert.match(report.stdout, /^passed shaken \(.* s, attempt 2, after a fault of the host\)$/m);
});

withQemu("a test whose QEMU dies twice fails by the host, whatever --retry says", async () => {
  const { code, stderr, ends, last, junit } = await runFaulty("broken", 9, "--retry", "3");
  assert.is(code, 4, stderr);
  assert.equal(
    ends.map(({ outcome, isTriedAgain }) => [outcome, isTriedAgain]),
    [
      ["failed", true],
      ["failed", false],
    ],
  );
  assert.match(stderr, /^failed broken \(.* s, attempt 2, by a fault of the host; attempt 1 was ended by the host: /m);
  assert.equal([last?.["failed"], last?.["failedByHost"]], [1, 1]);
  assert.match(junit, `<testsuites tests="1" failures="0" errors="1">`);
  assert.match(junit, /<error message="[^"]*SIGSEGV/);
  assert.match(junit, "<rerunError ");
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

/** Process ids of QEMUs whose sockets or disks are of a run that keeps its records in a folder. */
function qemusOf(text: string): number[] {
  return readdirSync("/proc")
    .filter((pid) => /^\d+$/.test(pid))
    .filter((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return words[0]?.includes("qemu-system") === true && words.some((word) => word.includes(text));
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Start the test whose machine never answers, and wait until its QEMU runs. */
async function startEndless(output: string, ...more: string[]) {
  const words = [...floeCommand(), ...DIRECT, "endless", "--output", output, ...more];
  const child = spawn(process.execPath, words, {
    cwd: flake,
    env: { ...process.env, ...env, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  let words2 = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (words2 += text));
  for (let waited = 0; qemusOf(output).length === 0; waited += 50) {
    assert.ok(waited < 30_000, `no QEMU was started:\n${words2}`);
    await sleep(50);
  }
  return { child, ended };
}

withQemu("a driver that is killed takes its QEMU along within a second", async () => {
  const output = join(directory, "killed");
  const { child, ended } = await startEndless(output);
  child.kill("SIGKILL");
  await ended;
  for (let waited = 0; qemusOf(output).length > 0; waited += 20) {
    assert.ok(waited < 1000, "its QEMU goes on");
    await sleep(20);
  }
  const told = await floe("vm-test", "report", output, "--json");
  assert.is(JSON.parse(told.stdout)[0].outcome, "lost");
});

withQemu("Ctrl-C leaves no QEMU behind, and calls the test neither passed nor failed", async () => {
  const output = join(directory, "interrupted");
  const { child, ended } = await startEndless(output, "--retry", "3");
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.kill("SIGINT");
  assert.is(await ended, 130);
  assert.equal(qemusOf(output), []);
  assert.is(said, "");
  assert.not.ok(existsSync(`${output}/endless~2`));
});

withQemu("run --timeout gives a test up, and says where it was", async () => {
  const result = await floe(...DIRECT, "endless", "--timeout", "2", "--output", join(directory, "late"));
  assert.is(result.code, 1);
  assert.match(result.stderr, "[vm-test.timeout]");
  assert.match(result.stderr, "step: the machine boots");
  assert.match(result.stderr, "a kernel that runs for ever");
});

withQemu("run --jobs begins no more tests than there may be at once", async () => {
  const output = join(directory, "jobs");
  const result = await floe(...DIRECT, "one", "two", "three", "--jobs", "1", "--output", output, "--reporter", "json");
  const order = result.stdout.split("\n").flatMap((line) => /"event":"(test-begin|test-end)"/.exec(line)?.[1] ?? []);
  assert.equal(order, ["test-begin", "test-end", "test-begin", "test-end", "test-begin", "test-end"]);
});

test.run();

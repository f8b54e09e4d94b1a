import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { HAS_QEMU } from "../../../../vm-tests/qemu-wrapper/testing.ts";
import { runFloe, temporaryDirectory } from "../../testing.ts";
import { writeStories } from "./testing-stories.ts";

const withQemu = HAS_QEMU ? test : test.skip;
const directory = temporaryDirectory();
const flake = join(directory, "flake");
const files = join(directory, "files");
const env = {
  XDG_CACHE_HOME: join(directory, "cache"),
  XDG_STATE_HOME: join(directory, "state"),
  GITHUB_ACTIONS: undefined,
  FILES: files,
};
mkdirSync(files);
writeStories(flake, { shaken: faultyStory("shaken"), broken: faultyStory("broken") });

const DIRECT = ["vm-test", "run", "--direct", "--accel", "tcg", "--store", join(directory, "store")];

function floe(...words: string[]) {
  return runFloe(words, { cwd: flake, env });
}

/** A story whose QEMU is killed while its guest runs, as often as the file of its name in the folder of files says; else it passes. */
function faultyStory(name: string): string {
  return `const { readdirSync, readFileSync, writeFileSync } = await import("node:fs" as string);
    const { process, setTimeout } = globalThis as any;
    const file = \`\${process.env.FILES}/${name}\`;
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

/** Run a story whose QEMU is killed so many times. */
async function runFaulty(name: string, count: number, ...more: string[]) {
  writeFileSync(join(files, name), String(count));
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

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../../../../../core/base/index.ts";
import type { Attempt } from "../judge-attempt.ts";
import { GithubReporter } from "./github.ts";
import { JsonReporter } from "./json.ts";
import { type RunReporter, tellAll, type TestEnd } from "./reporter.ts";
import { TerminalReporter, type TerminalReporterOptions } from "./terminal.ts";

const end: TestEnd = {
  ...{ test: "web", attempt: 1, outcome: "passed", ofHost: false, isTriedAgain: false, seconds: 2 },
  hostFaults: [],
};
const at = { file: "/repo/web.ts", line: 3, column: 7 };
const error = new CodedError("command.failed", "Cannot run it", { at, details: ["stderr:", "  no"], hint: "Try." });

const none = { passed: 0, afterHostFault: 0, failed: 0, failedByHost: 0, flaky: 0, unchanged: 0 };

/** A test that fails and then passes. */
function tell(reporter: RunReporter): void {
  reporter.begins("web", 1);
  const run = { at: 0, kind: "run", name: "web", accelerator: "tcg", reason: "asked for", folder: "/records/web" };
  reporter.entry("web", "events.ndjson", run);
  reporter.entry("web", "events.ndjson", { at: 1, kind: "step-begin", name: "boots", depth: 0 });
  reporter.entry("web", "server/samples.ndjson", {
    at: 1,
    cpuSeconds: 1,
    memoryBytes: 1,
    readBytes: 0,
    writtenBytes: 0,
  });
  const machine = { at: 1, kind: "machine", machine: "server", text: "boots", state: "booting" };
  reporter.entry("web", "events.ndjson", machine);
  reporter.entry("web", "events.ndjson", { at: 2, kind: "step-end", name: "boots", depth: 0, ok: false, seconds: 1 });
  reporter.ends({ ...end, outcome: "failed", isTriedAgain: true, folder: "/records/web", error });
  reporter.begins("web", 2);
  reporter.ends({ ...end, attempt: 2, outcome: "flaky" });
  reporter.summary({ ...none, flaky: 1, seconds: 5 });
  reporter.close();
}

const died = new CodedError("machine.qemu-died", "Cannot go on with the machine: QEMU ended by itself", { at });
const fault: Attempt = { number: 1, ok: false, unchanged: false, seconds: 2, folder: "/records/web", error: died };

/** A test that the host ends and that then passes, and one that it ends twice. */
function tellFaults(reporter: RunReporter): void {
  const failed = { ...end, outcome: "failed", ofHost: true, error: died } as const;
  reporter.begins("web", 1);
  reporter.ends({ ...failed, isTriedAgain: true, folder: "/records/web" });
  reporter.begins("web", 2);
  reporter.ends({ ...end, attempt: 2, hostFaults: [fault] });
  reporter.ends({ ...failed, test: "disk", attempt: 2, hostFaults: [fault] });
  reporter.summary({ ...none, passed: 1, afterHostFault: 1, failed: 1, failedByHost: 1, seconds: 5 });
  reporter.close();
}

function terminal(
  options: Partial<TerminalReporterOptions> = {},
  story = tell,
): { readonly text: string; readonly results: readonly string[] } {
  const said = { text: "", results: [] as string[] };
  story(
    new TerminalReporter({
      write: (text) => void (said.text += text),
      print: (line) => void said.results.push(line),
      showError: ({ message }) => `error: ${message}`,
      interactive: false,
      color: false,
      columns: () => 80,
      verbose: false,
      quiet: false,
      several: false,
      ...options,
    }),
  );
  return said;
}

test("TerminalReporter writes plain lines where there is no terminal", () => {
  const { text, results } = terminal();
  assert.is(
    text,
    `vm-test web: tcg (asked for)
  record: /records/web
  … boots
    server boots
  ✗ boots (1.0 s)
error: Cannot run it
records: /records/web
failed web (2.0 s), attempt 1: trying it again
`,
  );
  assert.equal(results, ["flaky web (2.0 s, attempt 2)"]);
});

test("TerminalReporter says whose lines they are where several tests run, and counts them", () => {
  const { text } = terminal({ several: true });
  assert.match(text, "web:   ✗ boots (1.0 s)\n");
  assert.ok(text.endsWith("0 passed, 1 flaky, 0 failed\n"));
});

test("TerminalReporter that is quiet says errors and results", () => {
  const { text, results } = terminal({ quiet: true, interactive: true });
  assert.is(text, "error: Cannot run it\n");
  assert.is(results.length, 1);
});

test("TerminalReporter never tells a fault of the host as clean, nor as a failure of the test", () => {
  const { text, results } = terminal({ several: true }, tellFaults);
  assert.match(text, "ended by the host web (2.0 s), attempt 1: running it again, once\n");
  assert.ok(text.endsWith("1 passed (1 after a fault of the host), 1 failed by a fault of the host, 0 failed\n"));
  const expected = [
    "passed web (2.0 s, attempt 2; attempt 1 was ended by the host: machine.qemu-died)",
    "failed disk (2.0 s, attempt 2, by a fault of the host; attempt 1 was ended by the host: machine.qemu-died)",
  ];
  assert.equal(results, expected);
  const quiet = terminal({ quiet: true }, tellFaults);
  assert.is(quiet.text.split("what failed is this host, not what is tested\n").length, 3);
  assert.equal(quiet.results, expected);
});

test("TerminalReporter draws a tree of what goes on, and takes it away at the end", async () => {
  let text = "";
  const reporter = new TerminalReporter({
    write: (part) => void (text += part),
    print: () => {},
    showError: () => "",
    interactive: true,
    color: false,
    columns: () => 80,
    verbose: false,
    quiet: false,
    several: true,
  });
  for (const name of ["web", "disk"]) {
    reporter.begins(name, 1);
    reporter.entry(name, "events.ndjson", { at: 1, kind: "step-begin", name: "boots", depth: 0 });
    reporter.entry(name, "events.ndjson", { at: 1, kind: "machine", machine: "m", text: "boots", state: "booting" });
  }
  const block = /\nweb \(\d+ s\)\n├ … boots \(\d+ s\)\n└ m: booting \d+ s · boots\ndisk \(\d+ s\)\n/;
  for (let tries = 0; tries < 400 && !block.test(text); tries++)
    await new Promise((resolve) => setTimeout(resolve, 25));
  assert.match(text, block);
  reporter.close();
  assert.ok(text.endsWith("\x1b[6A\r\x1b[J"));
});

test("JsonReporter tells every event on a line of its own", () => {
  const lines: string[] = [];
  let now = 1000;
  tell(
    new JsonReporter(
      (line) => void lines.push(line),
      () => (now += 500),
    ),
  );
  const events = lines.map((line) => JSON.parse(line));
  assert.equal(
    events.map(({ event }) => event),
    ["begin", "test-begin", "run", "step-begin", "machine", "step-end", "test-end", "test-begin", "test-end", "end"],
  );
  assert.equal(events[0], { event: "begin", at: 0.5, version: 1 });
  assert.equal(events[1], { event: "test-begin", at: 1, test: "web", attempt: 1 });
  assert.equal(events[3], { event: "step-begin", at: 2, test: "web", attempt: 1, name: "boots", depth: 0 });
  assert.equal(events[6].error, {
    code: "command.failed",
    message: "Cannot run it",
    hint: "Try.",
    at,
    details: ["stderr:", "  no"],
    infrastructure: false,
  });
  assert.equal([events[6].outcome, events[6].isTriedAgain], ["failed", true]);
  assert.equal([events[8].outcome, events[8].attempt], ["flaky", 2]);
  assert.equal(events[9], { event: "end", at: 5, ...none, flaky: 1, seconds: 5 });
});

test("JsonReporter tells of tries that the host ended, with their records", () => {
  const lines: string[] = [];
  tellFaults(
    new JsonReporter(
      (line) => void lines.push(line),
      () => 0,
    ),
  );
  const [first, passed] = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "test-end");
  assert.equal([first.outcome, first.isTriedAgain, first.error.infrastructure], ["failed", true, true]);
  assert.equal([passed.outcome, passed.error], ["passed", undefined]);
  const { code, message } = died;
  const told = { attempt: 1, seconds: 2, folder: "/records/web", error: { code, message, at } };
  assert.equal(passed.hostFaults, [told]);
});

test("GithubReporter makes an error of a failure, and a warning of one that was tried again", () => {
  const lines: string[] = [];
  const reporter = new GithubReporter((line) => void lines.push(line), "/repo");
  tell(reporter);
  reporter.ends({ ...end, outcome: "failed", error });
  assert.equal(lines, [
    "::warning file=web.ts,line=3,col=7,title=vm-test web%2C attempt 1::Cannot run it%0Astderr:%0A  no",
    "::error file=web.ts,line=3,col=7,title=vm-test web::Cannot run it%0Astderr:%0A  no",
  ]);
});

test("GithubReporter calls a fault of the host by its name", () => {
  const lines: string[] = [];
  tellFaults(new GithubReporter((line) => void lines.push(line), "/repo"));
  assert.equal(
    lines.map((line) => line.replace(/::Cannot.*/, "")),
    [
      "::warning file=web.ts,line=3,col=7,title=vm-test web%2C attempt 1%2C a fault of the host",
      "::error file=web.ts,line=3,col=7,title=vm-test disk%2C a fault of the host",
    ],
  );
});

test("tellAll() tells each of several", () => {
  const counts = [0, 0];
  const count = (index: number): RunReporter => {
    const add = (): void => void (counts[index] = (counts[index] ?? 0) + 1);
    return { begins: add, entry: add, ends: add, summary: add, close: add };
  };
  tell(tellAll([count(0), count(1)]));
  assert.equal(counts, [11, 11]);
});

test.run();

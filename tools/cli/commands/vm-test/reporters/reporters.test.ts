import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../../../../../core/base/index.ts";
import { GithubReporter } from "./github.ts";
import { JsonReporter } from "./json.ts";
import { type RunReporter, tellAll, type TestEnd } from "./reporter.ts";
import { TerminalReporter, type TerminalReporterOptions } from "./terminal.ts";

const end: TestEnd = { test: "web", attempt: 1, outcome: "passed", isTriedAgain: false, seconds: 2 };
const at = { file: "/repo/web.ts", line: 3, column: 7 };
const error = new CodedError("command.failed", "Cannot run it", { at, details: ["stderr:", "  no"], hint: "Try." });

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
  reporter.summary({ passed: 0, failed: 0, flaky: 1, unchanged: 0, seconds: 5 });
  reporter.close();
}

function terminal(options: Partial<TerminalReporterOptions> = {}): { text: string; results: string[] } {
  const said = { text: "", results: [] as string[] };
  tell(
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
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.match(text, /\nweb \(0 s\)\n├ … boots \(0 s\)\n└ m: booting 0 s · boots\ndisk \(0 s\)\n/);
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
  assert.equal(events[9], { event: "end", at: 5, passed: 0, failed: 0, flaky: 1, unchanged: 0, seconds: 5 });
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

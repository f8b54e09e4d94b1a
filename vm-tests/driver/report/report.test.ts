import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import type { RunEvent } from "../run-log.ts";
import { compareRuns, findLastPassed } from "./compare-runs.ts";
import { makeReportRun } from "./make-report.ts";
import { type RecordedLine, type RecordedSample, readRunRecord } from "./run-record.ts";
import { Browser, BROWSER } from "./testing-browser.ts";
import { findUnitJobs } from "./unit-jobs.ts";
import { formatReport, writeReport } from "./write-report.ts";

const directory = mkdtempSync(join(tmpdir(), "floe-report-"));
test.after(() => rmSync(directory, { recursive: true, force: true }));

const EVIL = `</script><img src=x onerror="document.title='owned'"><!--`;

interface Recording {
  readonly name: string;
  readonly events: readonly (RunEvent & { readonly at: number })[];
  readonly lines?: readonly RecordedLine[];
  readonly samples?: readonly RecordedSample[];
  readonly error?: string;
}

/** A run's folder as the driver leaves it. */
function record({ name, events, lines = [], samples = [], error }: Recording): string {
  const folder = join(directory, name);
  mkdirSync(join(folder, "web", "files"), { recursive: true });
  const text = (entries: readonly unknown[]): string => entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  writeFileSync(join(folder, "events.ndjson"), text(events));
  writeFileSync(join(folder, "web", "lines.ndjson"), text(lines));
  writeFileSync(join(folder, "web", "samples.ndjson"), text(samples));
  if (error !== undefined) writeFileSync(join(folder, "error.txt"), `${error}\n`);
  return folder;
}

function begin(systems: Readonly<Record<string, string>> = { "web, base": "/nix/store/a" }): RunEvent & { at: number } {
  return {
    at: 0,
    kind: "run",
    name: "page",
    accelerator: "tcg",
    reason: "asked for",
    folder: "",
    story: "s1",
    systems,
  };
}

function ends(ok: boolean, seconds: number): (RunEvent & { at: number })[] {
  return [
    { at: 0.1, kind: "step-begin", name: "boots", depth: 0 },
    { at: 0.2, kind: "machine", machine: "web", text: "boots the default generation", state: "booting" },
    { at: 8, kind: "machine", machine: "web", text: "answers after 7.8 s", seconds: 7.8, state: "running" },
    { at: 9, kind: "command", machine: "web", command: "true", status: 0, seconds: 0.5, stdout: "", stderr: "" },
    { at: seconds - 1, kind: "step-end", name: "boots", depth: 0, ok, seconds: seconds - 1.1 },
    { at: seconds, kind: "result", ok, seconds },
  ];
}

const LINES: readonly RecordedLine[] = Array.from({ length: 200 }, (_, number) => ({
  at: number / 10,
  from: number % 2 === 0 ? "console" : "journal",
  line: `line ${number} ${number === 7 ? EVIL : ""}`,
}));

const code = (wanted: string) => (error: { code: string }) => error.code === wanted;

test("readRunRecord() reads what a killed run left, up to its last whole line", () => {
  const folder = record({ name: "killed", events: [begin(), ...ends(true, 20).slice(0, 3)] });
  writeFileSync(join(folder, "events.ndjson"), `${readFileSync(join(folder, "events.ndjson"), "utf8")}{"at":9,"ki`);
  const run = makeReportRun(readRunRecord(folder));
  assert.is(run.outcome, "lost");
  assert.is(run.seconds, 8);
  assert.equal(run.steps, [{ name: "boots", depth: 0, begin: 0.1, end: 8, outcome: "lost" }]);
  assert.equal(run.machines[0]?.states, [
    { state: "booting", begin: 0.2, end: 8 },
    { state: "running", begin: 8, end: 8 },
  ]);
});

test("readRunRecord() refuses a folder without a record", () => {
  assert.throws(() => readRunRecord(directory), code("vm-test.no-record"));
});

test("makeReportRun() closes steps from the inside, and keeps the one that failed", () => {
  const folder = record({
    name: "steps",
    events: [
      begin(),
      { at: 1, kind: "step-begin", name: "outer", depth: 0 },
      { at: 2, kind: "step-begin", name: "again", depth: 1 },
      { at: 3, kind: "step-end", name: "again", depth: 1, ok: true, seconds: 1 },
      { at: 3, kind: "step-begin", name: "again", depth: 1 },
      { at: 5, kind: "step-end", name: "again", depth: 1, ok: false, seconds: 2 },
      { at: 6, kind: "step-end", name: "outer", depth: 0, ok: false, seconds: 5 },
      { at: 7, kind: "result", ok: false, seconds: 7, error: "no" },
    ],
  });
  const { steps } = makeReportRun(readRunRecord(folder));
  assert.equal(
    steps.map(({ name, end, outcome }) => [name, end, outcome]),
    [
      ["outer", 6, "failed"],
      ["again", 3, "passed"],
      ["again", 5, "failed"],
    ],
  );
});

test("makeReportRun() tells what was used between two looks, across a reboot", () => {
  const sample = (at: number, cpuSeconds: number): RecordedSample => ({
    at,
    cpuSeconds,
    memoryBytes: 100 * 1024 * 1024,
    readBytes: cpuSeconds * 1024 * 1024,
    writtenBytes: 0,
  });
  const samples = [sample(0, 0), sample(2, 3), sample(4, 1)];
  const { machines } = makeReportRun(readRunRecord(record({ name: "use", events: [begin()], samples })));
  const usage = machines[0]?.usage ?? [];
  assert.equal(
    usage.map(({ cpus, memoryMiB, readMiBPerSecond }) => [cpus, memoryMiB, readMiBPerSecond]),
    [
      [1.5, 100, 1.5],
      [0.5, 100, 0.5],
    ],
  );
});

test("makeReportRun() leaves out what no page can hold, and says so", () => {
  const lines = Array.from({ length: 20_010 }, (_, at): RecordedLine => ({ at, from: "console", line: `${at}` }));
  const stdout = "x".repeat(30_000);
  const events = [
    begin(),
    { at: 1, kind: "command", machine: "web", command: "yes", status: 0, seconds: 2, stdout, stderr: "" },
  ];
  const folder = record({ name: "flood", events: events as Recording["events"], lines });
  const [machine] = makeReportRun(readRunRecord(folder)).machines;
  assert.is(machine?.omittedLines, 10);
  assert.is(machine?.lines[0]?.line, "10");
  const shown = machine?.commands[0];
  assert.match(shown?.stdout ?? "", "10000 characters are in events.ndjson");
  assert.is(shown?.begin, 0, "nothing begins before its run");
});

test("findUnitJobs() pairs what systemd says of a unit", () => {
  const said = (at: number, words: string): RecordedLine => ({
    at,
    from: "journal",
    line: `[    1.0] systemd[1]: ${words}`,
  });
  const jobs = findUnitJobs(
    [
      said(1, "Starting Web Server..."),
      said(2, "Starting Database..."),
      { at: 2, from: "journal", line: "[ 1.0] web[12]: Starting Nothing..." },
      said(3, "Started Web Server."),
      said(4, "Reached target Multi-User System."),
      said(5, "Failed to start Database."),
      said(6, "Stopping Web Server..."),
      said(7, "Stopped Web Server."),
      said(7, "Stopped target Multi-User System."),
      said(8, "Starting Something Slow..."),
    ],
    10,
  );
  assert.equal(
    jobs.map(({ name, begin: from, end, outcome }) => [name, from, end, outcome]),
    [
      ["Web Server", 1, 3, "started"],
      ["Database", 2, 5, "failed"],
      ["Multi-User System", 4, 4, "started"],
      ["Web Server", 6, 7, "stopped"],
      ["Multi-User System", 7, 7, "stopped"],
      ["Something Slow", 8, 10, "open"],
    ],
  );
});

test("findLastPassed() and compareRuns() say what is not as it was when the test passed", () => {
  record({ name: "2026-01-01T00-00-00Z", events: [begin(), ...ends(true, 10)] });
  record({ name: "2026-01-02T00-00-00Z", events: [begin({ "web, base": "/nix/store/b" }), ...ends(true, 10)] });
  record({ name: "2026-01-03T00-00-00Z", events: [begin(), ...ends(false, 10)] });
  record({
    name: "2026-01-03T12-00-00Z",
    events: [{ ...begin(), name: "another" } as RunEvent & { at: number }, ...ends(true, 10)],
  });
  const trouble = { at: 3, kind: "trouble", machine: "web", line: "[    2.5] Oops: at 0xdead" } as const;
  const now = record({
    name: "2026-01-04T00-00-00Z",
    events: [begin({ "web, base": "/nix/store/c" }), trouble, ...ends(false, 30)],
  });
  record({ name: "2026-01-05T00-00-00Z", events: [begin(), ...ends(true, 10)] });
  const passed = findLastPassed(readRunRecord(now));
  assert.is(passed?.folder, join(directory, "2026-01-02T00-00-00Z"));
  assert.equal(passed === undefined ? [] : compareRuns(passed, readRunRecord(now)).differences, [
    { what: "web, base", before: "/nix/store/b", now: "/nix/store/c" },
    { what: 'step "boots"', before: "passed in 8.9 s", now: "failed in 29 s" },
    { what: "trouble on a console", before: "–", now: "web: Oops: at 0x…" },
  ]);
});

test("formatReport() lets nothing of a guest become a part of the page", () => {
  const folder = record({
    name: EVIL.replaceAll("/", "_"),
    events: [begin(), ...ends(false, 20)],
    lines: LINES,
    error: EVIL,
  });
  const page = formatReport([makeReportRun(readRunRecord(folder))]);
  assert.is(page.includes(EVIL), false);
  assert.is(page.split("</script>").length, 3);
});

(BROWSER === undefined ? test.skip : test)("the page of a report works in a browser", async () => {
  const failed = record({
    name: "2026-02-01T00-00-00Z",
    events: [
      begin({ "web, base": "/nix/store/d" }),
      ...ends(false, 20).slice(0, 4),
      { at: 12, kind: "command", machine: "web", command: EVIL, status: 3, seconds: 1, stdout: EVIL, stderr: "bad" },
      ...ends(false, 20).slice(4),
    ],
    lines: LINES,
    samples: [0, 5, 10].map((at) => ({ at, cpuSeconds: at, memoryBytes: 1e8, readBytes: 0, writtenBytes: at })),
    error: `${EVIL} was not expected`,
  });
  const png = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==",
    "base64",
  );
  writeFileSync(join(failed, "web", "files", "screen.png"), png);
  const run = makeReportRun(readRunRecord(failed));
  const passed = { ...run, name: "green", outcome: "passed" as const };
  const shaken = [
    { ...run, name: "shaken", ofHost: true },
    { ...passed, name: "shaken", attempt: 2 },
  ];
  const file = join(directory, "report.html");
  writeReport(file, [passed, run, ...shaken]);

  const browser = await Browser.open(file);
  try {
    const texts = (selector: string): Promise<string[]> =>
      browser.ask(`[...document.querySelectorAll(${JSON.stringify(selector)})].map((each) => each.textContent)`);
    assert.equal(await texts("nav a"), ["green", "page", "shaken, attempt 1", "shaken, attempt 2"]);
    assert.match((await texts("nav"))[0] ?? "", /^2 passed \(1 after a fault of the host\), 1 failed /);
    assert.equal(
      await texts("nav .host"),
      ["shaken, attempt 1", "shaken, attempt 2"],
      "what the host did has a color of its own",
    );
    assert.equal(await texts("h1"), ["page failed in 20.0 s"], "the run that failed is shown first");
    assert.equal(await texts(".error"), [`${EVIL} was not expected`]);
    assert.equal(await texts("img[src=x]"), []);
    assert.is(await browser.ask("document.title"), "4 vm-tests");
    assert.equal(await texts(".lane.steps .bar"), ["boots"]);
    assert.equal(await texts(".lane.states .bar:not(.mark)"), ["booting", "running"]);
    assert.equal(await texts(".lane.commands .bar.refused"), [EVIL]);
    assert.is((await texts(".lane.use polyline")).length, 3);
    assert.match((await texts(".comparison summary"))[0] ?? "", /^Different from the last run that passed: \d/);
    assert.is(await browser.ask("document.querySelector('img').naturalWidth"), 1);

    // The failed step ended at 19 s: there the logs stand at first.
    const now = (): Promise<string[]> => texts("li.now");
    assert.match((await now())[0] ?? "", "line 190");
    const place = await browser.ask<{ x: number; y: number }>(
      "(() => { const { left, width, top } = document.querySelector('.tracks').getBoundingClientRect(); return { x: left + width / 4, y: top + 5 }; })()",
    );
    await browser.click(place.x, place.y);
    const [console, journal] = await now();
    assert.match(console ?? "", /line (48|50) /, "a quarter of 20 s");
    assert.match(journal ?? "", /line 49 /);
    const inView =
      "(() => { const now = document.querySelector('ol.journal .now'), list = now.parentElement; return now.offsetTop >= list.scrollTop && now.offsetTop < list.scrollTop + list.clientHeight; })()";
    assert.is(await browser.ask(inView), true);

    // A scrolled console takes the journal along.
    const journalMoves =
      "new Promise((done) => { const end = performance.now() + 10000; const look = () => { const stays = document.querySelector('ol.journal .now').textContent.includes('line 49 '); if (stays && performance.now() < end) setTimeout(look, 20); else done(!stays); }; look(); })";
    await browser.ask("void (document.querySelector('ol.console').scrollTop = 0)");
    assert.is(await browser.ask(journalMoves), true);
    const journalNow = Number(/line (\d+)/.exec((await now())[1] ?? "")?.[1]);
    assert.ok(journalNow < 49, `the journal stands at line ${journalNow}`);

    await browser.ask(
      "(() => { const box = document.querySelector('input[type=search]'); box.value = 'LINE 42'; box.dispatchEvent(new Event('input')); })()",
    );
    assert.equal((await texts("li:not([hidden])")).length, 1);
    await browser.ask(
      "new Promise((done) => { addEventListener('hashchange', () => setTimeout(done)); location.hash = 'green'; })",
    );
    assert.equal(await texts("h1"), ["green passed in 20.0 s"]);
    await browser.ask(
      "new Promise((done) => { addEventListener('hashchange', () => setTimeout(done)); location.hash = 'shaken, attempt 2'; })",
    );
    assert.equal(await texts("h1"), ["shaken, attempt 2 passed after a fault of the host in 20.0 s"]);
  } finally {
    await browser.close();
  }
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../../../core/base/index.ts";
import { type BuildEvent, planBuild } from "../../../core/build/index.ts";
import { drv, graph, out } from "../../../core/build/testdata/graph.ts";
import { type BuildProgressOptions, makeBuildProgress } from "./build-progress.ts";
import { formatElapsed, LiveBlock } from "./live-block.ts";

const plan = planBuild({
  targets: [{ drvPath: drv("app") }],
  readDerivation: graph({ app: ["fetch-source"] }),
  isValid: () => false,
});
const EVENTS: BuildEvent[] = [
  { kind: "plan", plan },
  { kind: "started", drvPath: drv("fetch-source"), job: "fetch", why: "", cores: 1 },
  {
    kind: "progress",
    drvPath: drv("fetch-source"),
    url: "https://mirror.example/x?secret",
    doneBytes: 1024,
    totalBytes: 2048,
  },
  { kind: "built", drvPath: drv("fetch-source"), outputs: [out("fetch-source")], elapsedMs: 1500, sizeBytes: 2048 },
  { kind: "started", drvPath: drv("app"), job: "build", why: "", cores: 2 },
  { kind: "phase", drvPath: drv("app"), phase: "compile" },
  { kind: "log-line", drvPath: drv("app"), line: "cc -c a.c" },
];
const FAILURE: BuildEvent = {
  kind: "failed",
  drvPath: drv("app"),
  error: new CodedError("build.failed", `Cannot build "app": the builder ended with exit code 1`, {
    details: ["> boom"],
    hint: "See the log.",
  }),
  elapsedMs: 61_000,
  logTail: [],
};

function show(events: readonly BuildEvent[], options: Partial<BuildProgressOptions> = {}): string {
  let text = "";
  const progress = makeBuildProgress({
    write: (each) => void (text += each),
    interactive: false,
    color: false,
    columns: () => 60,
    ...options,
  });
  for (const event of events) progress.event(event);
  progress.end({ elapsedMs: 62_500, cancelled: false });
  return text;
}

test("makeBuildProgress() writes plain lines where there is no terminal", () => {
  const built: BuildEvent = {
    kind: "built",
    drvPath: drv("app"),
    outputs: [out("app")],
    elapsedMs: 12_000,
    sizeBytes: 3 * 1024 * 1024,
  };
  assert.is(
    show([...EVENTS, built], { logDirectory: "/log" }),
    `1 to build, 1 to fetch:
  build app: missing
  fetch fetch-source: missing, needed by app
fetching fetch-source
fetched fetch-source in 1.5 s (2.0 KiB)
building app
app: compile
built app in 12 s (3.0 MiB)
done in 1 min 03 s: 1 built, 1 fetched; logs below /log/drvs
`,
  );
});

test("makeBuildProgress() shows a failure with its details and hint, also when quiet", () => {
  const expected = `failed app after 1 min 01 s: Cannot build "app": the builder ended with exit code 1\n  > boom\n  hint: See the log.\n`;
  assert.match(show([...EVENTS, FAILURE]), expected);
  assert.is(show([...EVENTS, FAILURE], { quiet: true }), expected);
});

test("makeBuildProgress() shows builders' lines on request", () => {
  assert.match(show(EVENTS, { logs: true }), "app> cc -c a.c\n");
});

test("makeBuildProgress() says nothing when nothing is to be done", () => {
  assert.is(
    show([{ kind: "plan", plan: { jobs: [], wanted: [], makers: [], followed: new Map(), validCount: 1 } }]),
    "",
  );
});

test("makeBuildProgress() draws a block on a terminal and takes it away", async () => {
  let text = "";
  const progress = makeBuildProgress({
    write: (each) => void (text += each),
    interactive: true,
    color: false,
    columns: () => 60,
  });
  for (const event of EVENTS) progress.event(event);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.match(text, "[1/2] 0 built, 1 fetched (2.0 KiB), 0 waiting");
  assert.match(text, "  build app compile");
  assert.match(text, "  > cc -c a.c");
  progress.end({ elapsedMs: 10, cancelled: true });
  assert.match(text, "\u001b[3A\r\u001b[Jcancelled after 0.0 s: 0 built, 1 fetched\n");
});

test("LiveBlock redraws at most ten times a second and cuts long lines", async () => {
  const writes: string[] = [];
  const block = new LiveBlock({
    write: (text) => writes.push(text),
    columns: () => 21,
    lines: () => ["\u001b[31m0123456789abcdefghijKLM\u001b[0m"],
  });
  const started = performance.now();
  for (let i = 0; i < 50; i++) {
    block.changed();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  block.close();
  const most = (performance.now() - started) / 100 + 2;
  assert.ok(writes.length >= 2 && writes.length <= most, `${writes.length} writes, at most ${most}`);
  assert.is(writes[0], "\u001b[31m0123456789abcdefghi…\u001b[0m\n");
});

test("formatElapsed() is for people", () => {
  assert.equal([0, 9949, 10_000, 59_400, 59_600, 3_599_000, 3_600_000].map(formatElapsed), [
    "0.0 s",
    "9.9 s",
    "10 s",
    "59 s",
    "1 min 00 s",
    "59 min 59 s",
    "1 h 00 min",
  ]);
});

test.run();

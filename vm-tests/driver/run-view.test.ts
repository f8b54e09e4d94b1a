import { test } from "uvu";
import * as assert from "uvu/assert";
import type { RunEvent } from "./run-log.ts";
import { RunView } from "./run-view.ts";

const MIB = 1024 * 1024;

function viewOf(...events: readonly (readonly [atMs: number, event: RunEvent])[]): RunView {
  const view = new RunView("web", 0);
  for (const [at, event] of events) view.take(event, at);
  return view;
}

test("RunView shows a test before anything has happened", () => {
  assert.equal(viewOf().lines(4000), ["web (4 s)"]);
});

test("RunView shows open steps one in the other, and each machine with its state and what it does", () => {
  const view = viewOf(
    [0, { kind: "step-begin", name: "the machines boot", depth: 0 }],
    [1000, { kind: "step-begin", name: "the first", depth: 1 }],
    [1000, { kind: "machine", machine: "server", text: "boots the default generation", state: "booting" }],
    [2000, { kind: "machine", machine: "client", text: "starts as a copy", state: "booting" }],
    [9000, { kind: "machine", machine: "client", text: "answers after 7.0 s", state: "running" }],
    [9500, { kind: "command", machine: "client", command: "a\n  b", status: 0, seconds: 0.1, stdout: "", stderr: "" }],
  );
  assert.equal(view.lines(12_000), [
    "web (12 s)",
    "├ … the machines boot (12 s)",
    "├   … the first (11 s)",
    "├ server: booting 11 s · boots the default generation",
    "└ client: running 3 s · $ a; b",
  ]);
  view.take({ kind: "step-end", name: "the first", depth: 1, ok: true, seconds: 11 }, 12_000);
  assert.is(view.depth, 1);
  assert.not.match(view.lines(12_000).join("\n"), "the first");
});

test("RunView shows what machines use between two looks, and begins anew with each boot", () => {
  const view = viewOf([0, { kind: "machine", machine: "m", text: "boots", state: "booting" }]);
  const sample = (at: number, cpuSeconds: number) => ({ at, cpuSeconds, memoryBytes: 200 * MIB });
  view.sample("m", sample(1, 0.5), 1000);
  assert.match(view.lines(1000)[1] ?? "", /booting 1 s · 200 MiB · boots/);
  view.sample("m", sample(2, 2), 2000);
  assert.match(view.lines(2000)[1] ?? "", /150 % cpu, 200 MiB/);
  view.sample("m", sample(3, 0.1), 3000);
  assert.not.match(view.lines(3000)[1] ?? "", "% cpu");
  view.take({ kind: "machine", machine: "m", text: "loses its power", state: "off" }, 4000);
  assert.equal(view.lines(5000), ["web (5 s)", "└ m: off 1 s · loses its power"]);
});

test("RunView survives ends of steps that never began", () => {
  const view = viewOf([0, { kind: "step-end", name: "none", depth: 0, ok: true, seconds: 0 }]);
  assert.is(view.depth, 0);
});

test.run();

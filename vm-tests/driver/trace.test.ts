import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FRAME } from "./agent-protocol.ts";
import { type TraceEntry, TraceRecorder } from "./trace.ts";

test("TraceRecorder tells what was said, with bulk data in sum before what follows it", () => {
  const entries: TraceEntry[] = [];
  const trace = new TraceRecorder((entry) => void entries.push(entry));
  trace.qmp({ to: "qemu", message: { execute: "stop", id: 1 } });
  trace.frame("guest", FRAME.exec, 1, 40);
  trace.frame("host", FRAME.stdout, 1, 1000);
  trace.frame("host", FRAME.stdout, 2, 7);
  trace.frame("host", FRAME.stdout, 1, 500);
  trace.frame("host", FRAME.exited, 1, 14);
  assert.equal(entries, [
    { kind: "qmp", to: "qemu", message: { execute: "stop", id: 1 } },
    { kind: "agent", to: "guest", frame: "exec", stream: 1, bytes: 40 },
    { kind: "agent", to: "host", frame: "stdout", stream: 1, bytes: 1500, frames: 2 },
    { kind: "agent", to: "host", frame: "exited", stream: 1, bytes: 14 },
  ]);
  trace.end();
  assert.equal(entries.at(-1), { kind: "agent", to: "host", frame: "stdout", stream: 2, bytes: 7 });
});

test("TraceRecorder loses no byte, whatever is sent", () => {
  const frame = fc.tuple(
    fc.constantFrom("guest" as const, "host" as const),
    fc.constantFrom(...Object.values(FRAME)),
    fc.nat(3),
    fc.nat(5000),
  );
  fc.assert(
    fc.property(fc.array(frame), (frames) => {
      let bytes = 0;
      let count = 0;
      const trace = new TraceRecorder((entry) => {
        if (entry.kind !== "agent") return;
        bytes += entry.bytes;
        count += entry.frames ?? 1;
      });
      for (const each of frames) trace.frame(...each);
      trace.end();
      assert.is(
        bytes,
        frames.reduce((sum, each) => sum + each[3], 0),
      );
      assert.is(count, frames.length);
    }),
  );
});

test.run();

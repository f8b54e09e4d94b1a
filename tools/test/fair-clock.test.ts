import { test } from "uvu";
import * as assert from "uvu/assert";
import { FairClock, MOST } from "./fair-clock.ts";

/** A host with two processors. */
const host = { time: 5, others: 0, now: () => host.time, wanting: () => host.others, processors: 2 };

/** When it is over, in seconds of the host, looking every second. */
function secondsUntil(limit: number): number {
  const begin = host.time;
  const clock = new FairClock(host);
  while (!clock.isOver(limit)) host.time += 1;
  return host.time - begin;
}

test("FairClock isOver() counts a second whole where there is a processor for everybody", () => {
  for (host.others of [0, 1, 2]) assert.is(secondsUntil(10), 10);
});

test("FairClock isOver() counts as much of a second as anybody had of it", () => {
  for (const [others, seconds] of [
    [4, 20],
    [8, 40],
    [1000, 10 * MOST],
  ] as const) {
    host.others = others;
    assert.is(secondsUntil(10), seconds);
  }
});

test("FairClock looks at this host", async () => {
  const clock = new FairClock();
  assert.not.ok(clock.isOver(1000));
  assert.ok(clock.isOver(0));
});

test.run();

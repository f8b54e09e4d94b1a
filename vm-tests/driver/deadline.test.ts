import { test } from "uvu";
import * as assert from "uvu/assert";
import { Deadline, type GuestTime, type HostSample, starvedBetween, WALL_FACTOR } from "./deadline.ts";
import { waitUntil, withDeadline } from "./wait.ts";

const never = new AbortController().signal;

test("Deadline does not count seconds in which the guest was starved", () => {
  let now: GuestTime = { wallSeconds: 100, starvedSeconds: 5 };
  const deadline = new Deadline(10, () => now);
  now = { wallSeconds: 140, starvedSeconds: 36 };
  assert.equal(deadline.spent(), { guestSeconds: 9, wallSeconds: 40 });
  assert.is(deadline.expired, false);
  now = { wallSeconds: 141, starvedSeconds: 36 };
  assert.is(deadline.expired, true);
  assert.is(deadline.show(), "10.0 s of guest time (41.0 s on the clock)");
});

test("Deadline has a hard limit on the host's clock", () => {
  let now: GuestTime = { wallSeconds: 0, starvedSeconds: 0 };
  const deadline = new Deadline(10, () => now);
  now = { wallSeconds: 10 * WALL_FACTOR - 1, starvedSeconds: 10 * WALL_FACTOR - 1 };
  assert.is(deadline.expired, false);
  now = { wallSeconds: 10 * WALL_FACTOR, starvedSeconds: 10 * WALL_FACTOR };
  assert.is(deadline.expired, true);
});

const sample = (changes: Partial<HostSample> = {}): HostSample => ({
  wallSeconds: 0,
  cpuSeconds: 0,
  runDelays: new Map(),
  stopped: false,
  stolen: 0,
  used: 0,
  ...changes,
});

test("starvedBetween() counts the longest wait of a thread, theft, and a stop; idling is not starving", () => {
  const later = { wallSeconds: 10 };
  assert.is(starvedBetween(sample(), sample(later)), 0);
  const waited = {
    runDelays: new Map([
      ["1", 3],
      ["2", 8],
    ]),
  };
  assert.is(
    starvedBetween(
      sample({
        runDelays: new Map([
          ["1", 1],
          ["2", 2],
        ]),
      }),
      sample({ ...later, ...waited }),
    ),
    6,
  );
  assert.is(starvedBetween(sample(), sample({ ...later, ...waited })), 0, "a new thread's past is not ours");
  // The guest got 4 s of processor while a hypervisor stole as much as everybody used: it missed 4 s.
  assert.is(starvedBetween(sample(), sample({ ...later, cpuSeconds: 4, stolen: 500, used: 500 })), 4);
  assert.is(starvedBetween(sample({ stopped: true }), sample({ ...later, stopped: true })), 10);
  const all = { runDelays: new Map([["1", 100]]) };
  assert.is(starvedBetween(sample({ runDelays: new Map([["1", 0]]) }), sample({ ...later, ...all })), 10);
});

test("waitUntil() gives the value, and looks once more after the time is over", async () => {
  let looks = 0;
  const clock = () => ({ wallSeconds: looks >= 2 ? 1000 : 0, starvedSeconds: 0 });
  const wait = (enough: number) =>
    waitUntil({
      what: "see it",
      deadline: new Deadline(10, clock),
      signal: never,
      attempt: async () => (++looks >= enough ? { value: looks } : { seen: `look ${looks}` }),
    });
  assert.is(await wait(3), 3, "the third look comes after the end of the time");
  looks = 0;
  const error = await wait(4).then(
    () => undefined,
    (caught) => caught,
  );
  assert.is(error?.code, "wait.timeout");
  assert.match(error?.message ?? "", /^Cannot see it: not so after 1000\.0 s.*last seen: look 3$/);
});

test("waitUntil() and withDeadline() end with the reason of their signal", async () => {
  const controller = new AbortController();
  const reason = new Error("the guest is gone");
  setTimeout(() => controller.abort(reason), 10);
  const deadline = new Deadline(1000, () => ({ wallSeconds: 0, starvedSeconds: 0 }));
  const waiting = waitUntil({
    what: "see it",
    deadline,
    signal: controller.signal,
    attempt: async () => ({ seen: "" }),
  });
  assert.is(await waiting.catch((caught) => caught), reason);
  const other = withDeadline(new Promise(() => {}), deadline, controller.signal, () => new Error("late"));
  assert.is(await other.catch((caught) => caught), reason);
});

test("withDeadline() ends with the error of its caller", async () => {
  let now = 0;
  setTimeout(() => (now = 100), 20);
  const deadline = new Deadline(10, () => ({ wallSeconds: now, starvedSeconds: 0 }));
  const late = new Error("late");
  const error = await withDeadline(new Promise(() => {}), deadline, never, () => late).catch((caught) => caught);
  assert.is(error, late);
});

test.run();

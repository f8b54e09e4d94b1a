import { test } from "uvu";
import * as assert from "uvu/assert";
import { decideRetry } from "./retry.ts";

const policy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 5000 };
const failure = { attempt: 1, nowMs: 0, random: 0 };

test("decideRetry() tries again after broken transfers and passing faults", () => {
  for (const status of [undefined, 408, 429, 500, 502, 503])
    assert.equal(decideRetry({ ...failure, status }, policy), { kind: "again", delayMs: 50 });
  for (const status of [400, 401, 403, 404, 410, 501])
    assert.equal(decideRetry({ ...failure, status }, policy), { kind: "next" });
});

test("decideRetry() doubles the pause, half of it by chance, up to a number of attempts", () => {
  assert.equal(decideRetry({ ...failure, attempt: 2, random: 0.5 }, policy), { kind: "again", delayMs: 150 });
  assert.equal(decideRetry({ ...failure, attempt: 3 }, policy), { kind: "next" });
});

test("decideRetry() leaves the whole pause to chance when it is told to", () => {
  const full = { ...policy, jitter: "full" as const };
  assert.equal(decideRetry({ ...failure, attempt: 2 }, full), { kind: "again", delayMs: 0 });
  assert.equal(decideRetry({ ...failure, attempt: 2, random: 0.5 }, full), { kind: "again", delayMs: 100 });
});

test("decideRetry() obeys Retry-After in both forms, within reason", () => {
  assert.equal(decideRetry({ ...failure, status: 429, retryAfter: "2" }, policy), { kind: "again", delayMs: 2000 });
  assert.equal(decideRetry({ ...failure, status: 503, retryAfter: "Thu, 01 Jan 1970 00:00:03 GMT" }, policy), {
    kind: "again",
    delayMs: 3000,
  });
  assert.equal(decideRetry({ ...failure, status: 503, retryAfter: "3600" }, policy), { kind: "again", delayMs: 5000 });
});

test.run();

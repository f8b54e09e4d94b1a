import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { concatBytes, equalBytes } from "../../base/index.ts";
import { cutToRange, matchesTag, parseRange } from "./range.ts";

test("parseRange() reads what RFC 9110 allows", () => {
  assert.equal(parseRange("bytes=0-499", 1000), { first: 0, last: 499 });
  assert.equal(parseRange("bytes=500-", 1000), { first: 500, last: 999 });
  assert.equal(parseRange("bytes=-200", 1000), { first: 800, last: 999 });
  assert.equal(parseRange("bytes=-2000", 1000), { first: 0, last: 999 });
  assert.equal(parseRange("bytes=900-2000", 1000), { first: 900, last: 999 });
  for (const none of ["bytes=1000-", "bytes=5000-6000", "bytes=-0"]) assert.is(parseRange(none, 1000), "unsatisfiable");
  for (const whole of [undefined, "", "bytes=-", "bytes=5-2", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=1e3-"])
    assert.is(parseRange(whole, 1000), undefined, String(whole));
});

test("parseRange() gives parts that exist, for any numbers", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), fc.nat(2000), (from, to, size) => {
      for (const header of [`bytes=${from}-${to}`, `bytes=${from}-`, `bytes=-${to}`]) {
        const range = parseRange(header, size);
        if (range === undefined || range === "unsatisfiable") continue;
        assert.ok(range.first >= 0 && range.first <= range.last && range.last < size);
      }
    }),
  );
});

test("cutToRange() gives these bytes and no others, however they are cut", async () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 50 });
  await fc.assert(
    fc.asyncProperty(bytes, fc.integer({ min: 1, max: 9 }), fc.nat(49), fc.nat(49), async (whole, size, a, b) => {
      const first = Math.min(a, b, whole.length - 1);
      const last = Math.min(Math.max(a, b), whole.length - 1);
      const pieces = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < whole.length; at += size) yield whole.slice(at, at + size);
      };
      const parts: Uint8Array[] = [];
      for await (const part of cutToRange(pieces(), { first, last })) parts.push(part);
      assert.ok(equalBytes(concatBytes(parts), whole.slice(first, last + 1)));
    }),
  );
});

test("matchesTag() compares as caches do", () => {
  assert.is(matchesTag('"a"', '"a"'), true);
  assert.is(matchesTag('"b", W/"a"', '"a"'), true);
  assert.is(matchesTag("*", '"a"'), true);
  assert.is(matchesTag('"b"', '"a"'), false);
  assert.is(matchesTag(undefined, '"a"'), false);
});

test.run();

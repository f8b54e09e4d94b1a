import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { compareBytes, compareText, concatBytes, equalBytes, fromUtf8, sortedText, utf8 } from "./index.ts";

const anyBytes = fc.uint8Array({ maxLength: 40 });

test("fromUtf8() and utf8() lose no byte", () => {
  fc.assert(fc.property(anyBytes, (bytes) => equalBytes(utf8(fromUtf8(bytes)), bytes)));
});

test("fromUtf8() reads valid UTF-8 as itself and other bytes as U+DC80 to U+DCFF", () => {
  // "caf" and é in Latin-1, then é and 😀 in UTF-8
  assert.is(fromUtf8(Uint8Array.of(0x63, 0x61, 0x66, 0xe9)), "caf\uDCE9");
  assert.is(fromUtf8(utf8("é😀")), "é😀");
  // Python: b"\xed\xa0\x80".decode("utf-8", "surrogateescape"): an encoded surrogate is not UTF-8
  assert.is(fromUtf8(Uint8Array.of(0xed, 0xa0, 0x80)), "\uDCED\uDCA0\uDC80");
});

test("utf8() gives U+FFFD for a surrogate that stands for no byte", () => {
  assert.equal([...utf8("\uD800")], [0xef, 0xbf, 0xbd]);
});

test("compareText() is the order of UTF-8 bytes", () => {
  const text = anyBytes.map(fromUtf8);
  fc.assert(
    fc.property(text, text, (a, b) => Math.sign(compareText(a, b)) === Math.sign(compareBytes(utf8(a), utf8(b)))),
  );
  const tricky = fc.string({ unit: fc.constantFrom("a", "é", "\uFF21", "😀", "😁", "\uDC80", "\uE000") });
  fc.assert(
    fc.property(tricky, tricky, (a, b) => Math.sign(compareText(a, b)) === Math.sign(compareBytes(utf8(a), utf8(b)))),
  );
});

test("sortedText() puts U+FF21 before U+1F600, unlike Array.sort()", () => {
  assert.equal(sortedText(["😀", "\uFF21", "b", "B"]), ["B", "b", "\uFF21", "😀"]);
  assert.equal(["😀", "\uFF21"].sort(), ["😀", "\uFF21"]);
});

test("concatBytes() and compareBytes()", () => {
  assert.equal([...concatBytes([Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)])], [1, 2, 3]);
  assert.ok(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0)) < 0);
  assert.ok(compareBytes(Uint8Array.of(200), Uint8Array.of(100)) > 0);
});

test.run();

import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type CodedError, formatSortedJson, isRecord, parseJson } from "./index.ts";

test("formatSortedJson() puts keys in byte order, also those that look like numbers", () => {
  const value = { b: 1, "10": [], "9": {}, "\u{10000}": 3, "\uffff": 4, left: undefined, a: { "2": true, "10": null } };
  assert.is(formatSortedJson(value), '{"10":[],"9":{},"a":{"10":null,"2":true},"b":1,"\uffff":4,"\u{10000}":3}');
});

test("formatSortedJson() is read back as what it was", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), fc.nat(3), (value, indent) => {
      const text = formatSortedJson(value, indent);
      assert.equal(JSON.parse(text), JSON.parse(JSON.stringify(value)));
      assert.is(formatSortedJson(JSON.parse(text), indent), text);
    }),
  );
});

test("formatSortedJson() puts entries on lines of their own as JSON.stringify() does", () => {
  const value = { a: [1, { b: [] }], c: {} };
  assert.is(formatSortedJson(value, 2), JSON.stringify(value, undefined, 2));
});

test("isRecord() takes objects with fields, and nothing else", () => {
  assert.equal([{}, { a: 1 }, Object.create(null)].map(isRecord), [true, true, true]);
  assert.equal([null, undefined, [], "x", 1, () => {}].map(isRecord), [false, false, false, false, false, false]);
});

test("parseJson() reads what JSON.parse() reads", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
      assert.equal(parseJson(JSON.stringify(value)), JSON.parse(JSON.stringify(value)));
    }),
  );
  assert.equal(parseJson('["[[[\\"[[["]'), ['[[["[[[']);
});

test("parseJson() refuses what is no JSON and what is nested too deep", () => {
  const hasCode = (code: string) => (error: CodedError) => error.code === code;
  assert.throws(() => parseJson(""), hasCode("json.malformed"));
  assert.throws(() => parseJson("[1,]"), hasCode("json.malformed"));
  const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
  assert.ok(Array.isArray(parseJson(deep(200))));
  assert.throws(() => parseJson(deep(201)), hasCode("json.too-deep"));
  assert.throws(() => parseJson('{"a":'.repeat(100_000)), hasCode("json.too-deep"));
});

test.run();

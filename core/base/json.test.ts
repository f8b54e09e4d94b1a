import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { formatSortedJson } from "./index.ts";

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

test.run();

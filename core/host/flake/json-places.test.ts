import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { findMember } from "./json-places.ts";

const TEXT = `{
  "a": { "b": [1, { "c\\"d": "x, y: {" }], "b": 2 },
  "": null
}`;

/** Where the member at a path is: line and column of its key, and of its value. */
function at(text: string, ...path: string[]): number[] | undefined {
  const found = findMember(text, (each) => each.join("\0") === path.join("\0"));
  return found === undefined ? undefined : [found.key.line, found.key.column, found.value.line, found.value.column];
}

test("findMember() finds keys and values in objects and in objects of lists", () => {
  assert.equal(at(TEXT, "a"), [2, 3, 2, 8]);
  assert.equal(at(TEXT, "a", "b"), [2, 10, 2, 15]);
  assert.equal(at(TEXT, "a", "b", "1", 'c"d'), [2, 21, 2, 29]);
  assert.equal(at(TEXT, ""), [3, 3, 3, 7]);
  assert.is(at(TEXT, "x"), undefined);
});

test("findMember() tells a name that its object has twice", () => {
  const twice = findMember(TEXT, (_, isSecond) => isSecond);
  assert.equal([twice?.path, twice?.key], [["a", "b"], { line: 2, column: 43 }]);
  assert.is(
    findMember('{"a":{"b":1},"b":{"b":1}}', (_, isSecond) => isSecond),
    undefined,
  );
});

test("findMember() finds every member of any JSON, and its value there", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const seen: string[] = [];
      findMember(text, (path) => {
        seen.push(JSON.stringify(path));
        return false;
      });
      const expected: string[] = [];
      const walk = (value: unknown, path: readonly string[]): void => {
        if (typeof value !== "object" || value === null) return;
        for (const [name, inner] of Object.entries(value)) {
          if (!Array.isArray(value)) expected.push(JSON.stringify([...path, name]));
          walk(inner, [...path, name]);
        }
      };
      walk(JSON.parse(text), []);
      assert.equal(seen.sort(), expected.sort());
      for (const path of expected) {
        const found = findMember(text, (each) => JSON.stringify(each) === path);
        const rest = text
          .split("\n")
          .slice((found?.value.line ?? 1) - 1)
          .join("\n")
          .slice((found?.value.column ?? 1) - 1);
        const value = (JSON.parse(path) as string[]).reduce<unknown>(
          (all, name) => (all as Record<string, unknown>)[name],
          JSON.parse(text),
        );
        assert.is(rest.startsWith(JSON.stringify(value)), true, `${path} in ${text}`);
      }
    }),
    { numRuns: 30 },
  );
});

test.run();

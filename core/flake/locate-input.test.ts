import { test } from "uvu";
import * as assert from "uvu/assert";
import * as fc from "fast-check";
import { locateInput } from "./locate-input.ts";

const TEXT = `import { defineFlake } from "#floe/flake";
// inputs: { a: "not this" }
export default defineFlake({
  description: "inputs: { a: 1 }",
  inputs: {
    a: "github:owner/a",
    "b-b": {
      url: \`git+https://example.org/b\`, /* c: */
      inputs: { c: { follows: "a" }, d: { inputs: { e: "path:./e" } } },
    },
    computed: make({ url: "x" }),
  },
  outputs({ inputs }) {
    return { inputs: { a: "nor this" } };
  },
});
`;

/** What stands at the place. */
function at(text: string, path: readonly string[]): string | undefined {
  const place = locateInput(text, path);
  if (place === undefined) return undefined;
  return text.split("\n")[place.line - 1]?.slice(place.column - 1);
}

test("locateInput() finds the address, or what stands in its place", () => {
  assert.is(at(TEXT, ["a"]), '"github:owner/a",');
  assert.is(at(TEXT, ["b-b"]), "`git+https://example.org/b`, /* c: */");
  assert.match(at(TEXT, ["b-b", "c"]) ?? "", /^"a" }/);
  assert.match(at(TEXT, ["b-b", "d", "e"]) ?? "", /^"path:\.\/e" }/);
  assert.match(at(TEXT, ["computed"]) ?? "", /^make\(/);
  assert.is(locateInput(TEXT, ["a"])?.line, 6);
});

test("locateInput() gives the nearest thing above what is not written there", () => {
  assert.is(at(TEXT, ["a", "x", "y"]), '"github:owner/a",');
  assert.is(at("", ["a"]), undefined);
});

test("locateInput() finds where an input that is put together in another way is spoken of", () => {
  const written = (inputs: string, before = ""): string =>
    `import { inputs } from "./inputs.ts";\n// a\n${before}\nexport default defineFlake({\n  ${inputs}\n  outputs: ({ inputs }) => ({ a: "a" }),\n});\n`;
  const spread = written("inputs: { b: 'path:./b', ...shared },", 'const shared = {\n  a: "nowhere:a" };');
  assert.is(at(spread, ["a"]), 'a: "nowhere:a" };');
  assert.is(at(spread, ["a", "x"]), 'a: "nowhere:a" };');
  assert.is(
    at(written("inputs: Object.fromEntries(names),", 'const names = ["b",\n"a"].map(make);'), ["a"]),
    '"a"].map(make);',
  );
  assert.is(at(written("inputs: make(),"), ["a"]), "inputs: make(),");
  assert.is(at(written("inputs,"), ["a"]), "inputs,");
  assert.is(at(written("get inputs() { return make(); },"), ["a"]), "inputs() { return make(); },");
  assert.is(at(written("inputs: make(),"), []), "inputs: make(),");
  assert.is(at("const flake = {\n inputs: make() };\nexport { flake as default };", ["a"]), "inputs: make() };");
  assert.is(at(TEXT, ["nothing"]), "inputs: {");
});

test("locateInput() takes any text", () => {
  const pieces = fc.constantFrom(
    "{",
    "}",
    "inputs",
    ":",
    "a",
    '"',
    "`",
    "(",
    ")",
    ",",
    "\n",
    "//",
    "/*",
    "*/",
    "[",
    "]",
    "\\",
  );
  fc.assert(
    fc.property(fc.array(pieces), (words) => {
      const text = words.join("");
      const place = locateInput(text, ["a"]);
      return place === undefined || place.line <= text.split("\n").length;
    }),
  );
});

test.run();

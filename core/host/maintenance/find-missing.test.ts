import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { STORE_DIRECTORY } from "../../store/index.ts";
import { compareNames } from "./find-missing.ts";

/** Names that share beginnings, so that one may be the beginning of another. */
const name = fc.string({ unit: fc.constantFrom("a", "b", "-"), minLength: 1, maxLength: 6 });

test("compareNames() finds what a set of the names would find", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 900 }),
      fc.uniqueArray(name),
      fc.uniqueArray(name),
      (all, away, more) => {
        const valid = all.toSorted();
        const there = [...new Set([...all.filter((each) => !away.includes(each)), ...more])].sort();
        const paths = valid.map((each) => `${STORE_DIRECTORY}/${each}`);
        const missing = paths.filter((_, at) => !there.includes(valid[at] as string));
        assert.equal(compareNames(paths.join("\n"), there), { checked: valid.length, missing });
      },
    ),
  );
});

test("compareNames() finds one of thousands, wherever it lies", () => {
  const names = Array.from({ length: 3000 }, (_, i) => `${i}`.padStart(6, "0"));
  const text = names.map((each) => `${STORE_DIRECTORY}/${each}`).join("\n");
  assert.equal(compareNames(text, [".links", ...names]), { checked: 3000, missing: [] });
  for (const at of [0, 1, 255, 256, 257, 1500, 2999]) {
    const there = names.toSpliced(at, 1);
    assert.equal(compareNames(text, there), { checked: 3000, missing: [`${STORE_DIRECTORY}/${names[at]}`] });
    assert.equal(compareNames(text, [...there, "x"]).missing.length, 1);
  }
  assert.equal(compareNames(text, []).missing.length, 3000);
  assert.equal(compareNames("", names), { checked: 0, missing: [] });
});

test.run();

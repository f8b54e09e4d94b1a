import fc from "fast-check";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { chooseTests, isGlob, type ListedTest, type TestFilters } from "./choose-tests.ts";

const tests: readonly ListedTest[] = [
  { name: "boot", description: "", platforms: ["x86_64-linux", "aarch64-linux"], tags: ["smoke"] },
  { name: "power-cut", description: "", platforms: ["x86_64-linux"], tags: ["slow", "disk"] },
  { name: "store-power-cut", description: "", platforms: ["x86_64-linux"], tags: ["disk"] },
  { name: "a.b", description: "", platforms: [], tags: [] },
];

const names = (filters: TestFilters): string[] => chooseTests(tests, filters).map(({ name }) => name);

test("chooseTests() takes all where nothing is asked", () => {
  assert.equal(names({}), ["boot", "power-cut", "store-power-cut", "a.b"]);
});

test("chooseTests() takes names, and patterns over whole names", () => {
  assert.equal(names({ names: ["power-cut"] }), ["power-cut"]);
  assert.equal(names({ names: ["*power*", "b???"] }), ["boot", "power-cut", "store-power-cut"]);
  assert.equal(names({ names: ["?.b"] }), ["a.b"]);
  assert.throws(
    () => names({ names: ["a?b", "boo"] }),
    (error: { code: string }) => error.code === "vm-test.no-match",
  );
});

test("chooseTests() takes what has one of the tags, and can be on the platform", () => {
  assert.equal(names({ tags: ["smoke", "slow"] }), ["boot", "power-cut"]);
  assert.equal(names({ platform: "aarch64-linux" }), ["boot"]);
  assert.equal(names({ names: ["*"], tags: ["disk"], platform: "x86_64-linux" }), ["power-cut", "store-power-cut"]);
  assert.equal(names({ tags: ["none"] }), []);
});

test("chooseTests() says which word fits nothing, and what there is", () => {
  assert.throws(
    () => names({ names: ["boot", "bot*"] }),
    (error: { code: string; message: string; hint: string }) =>
      error.code === "vm-test.no-match" &&
      error.message.includes('"bot*"') &&
      error.hint.includes("a.b, boot, power-cut"),
  );
  assert.throws(
    () => chooseTests([], { names: ["boot"] }),
    (error: { code: string }) => error.code === "vm-test.no-match",
  );
});

test("chooseTests() takes a name without a star for itself, whatever is in it", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary-ascii", minLength: 1 }).filter((name) => !isGlob(name)),
      (name) => {
        const all = [{ ...tests[0], name } as ListedTest, { ...tests[0], name: `${name}x` } as ListedTest];
        assert.equal(chooseTests(all, { names: [name] }).length, 1);
        assert.equal(chooseTests(all, { names: [`${name}*`] }).length, 2);
      },
    ),
  );
});

test.run();

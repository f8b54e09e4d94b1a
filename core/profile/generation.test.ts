import { test } from "uvu";
import * as assert from "uvu/assert";
import { generationLinkName, parseGenerationLinkName, planGeneration, previousGeneration } from "./index.ts";

test("parseGenerationLinkName() is the reverse of generationLinkName(), and refuses others", () => {
  assert.is(parseGenerationLinkName("system", generationLinkName("system", 12)), 12);
  for (const name of ["system", "system--link", "system-x-link", "system-1-link.new", "other-1-link"]) {
    assert.is(parseGenerationLinkName("system", name), undefined);
  }
});

test("planGeneration() counts from the highest and reuses the newest", () => {
  assert.equal(planGeneration([], "/a"), { kind: "create", number: 1 });
  const two = [
    { number: 9, target: "/b" },
    { number: 4, target: "/a" },
  ];
  assert.equal(planGeneration(two, "/a"), { kind: "create", number: 10 });
  assert.equal(planGeneration(two, "/b"), { kind: "reuse", number: 9 });
});

test("previousGeneration() is the next lower number, whatever the order and the gaps", () => {
  const make = (current: number) => [7, 2, 5].map((number) => ({ number, current: number === current }));
  assert.is(previousGeneration(make(7))?.number, 5);
  assert.is(previousGeneration(make(5))?.number, 2);
  assert.is(previousGeneration(make(2)), undefined);
});

test.run();

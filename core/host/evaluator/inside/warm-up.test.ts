import { test } from "uvu";
import * as assert from "uvu/assert";
import { beginEvaluation, currentEvaluation, derivation } from "../../../derivation/index.ts";
import { warmUp } from "./warm-up.ts";

const begin = () =>
  beginEvaluation({
    hashTree() {
      throw new Error("no source is expected here");
    },
  });

test("warmUp() does the same each time, and leaves nothing to the evaluation that begins after it", () => {
  begin();
  const options = { name: "x", system: "x86_64-linux", builder: "/bin/sh" };
  const { drvPath } = derivation(options);
  warmUp();
  const [first, ...others] = currentEvaluation().derivations.keys();
  assert.ok(others.length > 20);
  warmUp();
  assert.equal([...currentEvaluation().derivations.keys()], [first, ...others]);
  const { derivations, sources, needs } = begin();
  assert.equal([derivations.size, sources.size, needs.size], [0, 0, 0]);
  assert.is(derivation(options).drvPath, drvPath);
  assert.throws(
    () => derivation({ ...options, args: [first] }),
    (error: { code: string }) => error.code === "derivation.unknown-reference",
  );
});

test.run();

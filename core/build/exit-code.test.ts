import { test } from "uvu";
import * as assert from "uvu/assert";
import { CodedError } from "../base/index.ts";
import { exitCodeOf } from "./exit-code.ts";

const failure = (exitCode?: number): CodedError =>
  new CodedError("a.b", "Cannot", exitCode === undefined ? {} : { exitCode });

test("exitCodeOf() or-s the codes of all failures", () => {
  // Nix 2.8, Worker::exitStatus: the bits are 0x64 for builds, 0x01 for time-outs, 0x02 for hashes, 0x68 for determinism.
  assert.is(exitCodeOf([]), 0);
  assert.is(exitCodeOf([failure(100), failure(100)]), 100);
  assert.is(exitCodeOf([failure(101), failure(102)]), 103);
  assert.is(exitCodeOf([failure(100), failure(104)]), 108);
  assert.is(exitCodeOf([failure(104)]), 104);
  assert.is(exitCodeOf([failure()]), 100);
});

test.run();

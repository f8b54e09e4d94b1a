import { test } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "./child.ts";

const options = { cwd: "/", signal: new AbortController().signal };

test("runChild() ends what takes too long, with all that it has started", async () => {
  const { timedOut, code, output } = await runChild(["sh", "-c", "echo begun; sleep 1000 & wait"], {
    ...options,
    timeoutSeconds: 1,
  });
  assert.equal([timedOut, code, output], [true, undefined, "begun\n"]);
});

test("runChild() tells how a program ended, and what it said", async () => {
  const { timedOut, code, output } = await runChild(["sh", "-c", "echo out; echo err >&2; exit 3"], {
    ...options,
    timeoutSeconds: 1000,
  });
  assert.equal([timedOut, code, output], [false, 3, "out\nerr\n"]);
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { openLocalStore } from "../../core/host/local-store/index.ts";
import { makeContext } from "./context.ts";
import { lockOptions } from "./lock-options.ts";
import { temporaryDirectory } from "./testing.ts";

test("lockOptions() opens the stores anew when the flake is granted some of its own", async () => {
  const context = { ...makeContext(new AbortController().signal), process: {} as never };
  const store = openLocalStore({ root: temporaryDirectory() });
  try {
    await using lock = await lockOptions(context, { acceptFlakeConfig: true }, store);
    const { substituters, onSettings } = lock.options;
    const before = await substituters?.();
    assert.is(await substituters?.(), before);
    await onSettings?.({ substituters: [`file://${temporaryDirectory()}`] });
    const after = await substituters?.();
    assert.is(after?.isEmpty, false);
    assert.is.not(after, before);
  } finally {
    store.close();
  }
});

test.run();

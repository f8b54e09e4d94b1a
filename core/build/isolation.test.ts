import { test } from "uvu";
import * as assert from "uvu/assert";
import type { CodedError } from "../base/index.ts";
import type { Derivation } from "../derivation/index.ts";
import { runsOutside } from "./isolation.ts";

const drv = (env: Record<string, string>, builder = "/bin/sh"): Derivation => ({
  ...{ name: "t", system: "x86_64-linux", builder, args: [], env, outputs: {} },
  ...{ inputDerivations: new Map(), inputSources: [] },
});
const asks = [drv({ __noChroot: "1" }), drv({ __json: `{"__noChroot":true}` })];

test("runsOutside() lets a derivation out that asks for it, where that is allowed", () => {
  for (const each of asks) {
    assert.is(runsOutside(each, "relaxed"), true);
    assert.is(runsOutside(each, false), true);
    assert.throws(
      () => runsOutside(each, true),
      (error: CodedError) => error.code === "build.no-chroot",
    );
  }
});

test("runsOutside() keeps all others in, and does not ask built-in builders", () => {
  for (const each of [drv({}), drv({ __noChroot: "" }), drv({ __json: `{"__noChroot":"1"}` })]) {
    assert.is(runsOutside(each, true), false);
    assert.is(runsOutside(each, "relaxed"), false);
    assert.is(runsOutside(each, false), true);
  }
  for (const mode of [true, false, "relaxed"] as const)
    assert.is(runsOutside(drv({ __noChroot: "1" }, "builtin:fetchurl"), mode), false);
});

test.run();

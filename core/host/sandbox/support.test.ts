import { test } from "uvu";
import * as assert from "uvu/assert";
import { probeSandbox, sandboxUnavailable } from "./support.ts";

test("sandboxUnavailable() says what to install or allow, and the way out that must be said aloud", () => {
  const missing = sandboxUnavailable({ kind: "no-program" });
  assert.is(missing.code, "sandbox.no-program");
  assert.match(missing.hint ?? "", "apt-get install bubblewrap");
  const refused = sandboxUnavailable({ kind: "no-user-namespaces", found: "x is 0" });
  assert.is(refused.code, "sandbox.no-user-namespaces");
  assert.match(refused.message, "(x is 0)");
  for (const error of [missing, refused]) assert.match(error.hint ?? "", "--no-sandbox");
});

test("probeSandbox() gives an answer", () => {
  assert.ok(["available", "no-program", "no-user-namespaces"].includes(probeSandbox().kind));
});

test.run();

import { test } from "uvu";
import * as assert from "uvu/assert";
import { sandboxArguments } from "./arguments.ts";
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

test("sandboxArguments() shares the network only when asked", () => {
  const spec = {
    storeDirectory: "/s",
    inputs: [{ from: "/h/a", to: "a" }],
    buildDirectory: "/b",
    etcDirectory: "/e",
    environment: [["A", "1"]] as const,
    devices: [],
    readOnlyProc: [],
    statusDescriptor: 4,
  };
  assert.ok(sandboxArguments({ ...spec, network: false }).includes("--unshare-net"));
  const open = sandboxArguments({ ...spec, network: true });
  assert.not.ok(open.includes("--unshare-net"));
  const text = open.join(" ");
  assert.match(text, "--ro-bind /h/a /nix/store/a");
  assert.match(text, "--bind /b /build");
  assert.match(text, "--clearenv --setenv A 1");
});

test.run();

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, hashBytes } from "../../base/index.ts";
import { beginEvaluation, currentEvaluation, derivation } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import { BUILD_STATUS, type DerivedPath } from "../../store/wire/index.ts";
import { makeSourceHost } from "../files/index.ts";
import { realise } from "./realise.ts";
import { openServedStore } from "./testing.ts";

const test = suite<ReturnType<typeof openServedStore>>("realise");
test.before.each((context) => void Object.assign(context, openServedStore()));
test.after.each((context) => context.close());

test("realise() says of what was not tried that something it needs failed, and what", async ({ services, store }) => {
  beginEvaluation(makeSourceHost());
  const hash = formatHash(hashBytes("sha256", "x"), "sri");
  const missing = derivation({
    name: "missing",
    system: "builtin",
    builder: "builtin:fetchurl",
    fixed: { method: "flat", hash },
    env: { url: `file://${store.root}/nowhere` },
  });
  const top = derivation({ name: "top", system: "x86_64-linux", builder: "/bin/sh", env: { missing: `${missing}` } });
  for (const [path, text] of currentEvaluation().derivations) store.addDerivationText(path, text);
  const wishes = [missing, top].map(
    ({ drvPath }): DerivedPath => ({ kind: "outputs", drvPath: drvPath as StorePath, outputs: "all" }),
  );
  const settings = { keepFailed: false, keepGoing: true, substitute: false };
  const realised = await realise(services, wishes, { settings, rebuild: false, events: () => {} });
  const answer = (drvPath: string) =>
    realised.find(({ wanted }) => wanted.kind === "outputs" && wanted.drvPath === drvPath);
  assert.is(answer(missing.drvPath)?.error?.code, "fetch.unreachable");
  const { error, result } = answer(top.drvPath) ?? {};
  assert.is(error?.code, "build.dependency-failed");
  assert.equal(error?.details, [answer(missing.drvPath)?.error?.message]);
  assert.is(result?.status, BUILD_STATUS.dependencyFailed);
});

test.run();

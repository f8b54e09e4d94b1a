import { suite } from "uvu";
import * as assert from "uvu/assert";
import { formatHash, hashBytes } from "../../base/index.ts";
import { beginEvaluation, currentEvaluation, derivation, formatDerivation } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import { BUILD_STATUS, type DerivedPath } from "../../store/wire/index.ts";
import { openBuildBench } from "../builder/testdata/build-bench.ts";
import { makeSourceHost } from "../files/index.ts";
import { localServices } from "./local-services.ts";
import { planMissing } from "./plan-missing.ts";
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

test("realise() follows outputs of outputs, and tells their failures apart", async () => {
  const bench = await openBuildBench();
  if (typeof bench === "string") return console.log(`skipped: ${bench}`);
  const { store } = bench;
  const services = localServices(store);
  try {
    const template = store.readDerivation((await bench.script("true")).drvPath);
    const writing = (name: string, words: string) => {
      const args = ["sh", "-ec", words];
      const outputs = { out: { path: "", hashAlgorithm: "", hash: "" } };
      const env = { PATH: template.env["PATH"] as string, out: "" };
      const term = formatDerivation({ ...template, name, args, outputs, env });
      const contentAddressed = { method: "text", algorithm: "sha256" } as const;
      return bench.script(`printf %s "$term" > $out`, { name: `${name}.drv`, env: { term }, contentAddressed });
    };
    const [good, bad] = [await writing("good", "echo good > $out"), await writing("bad", "exit 1")];
    const wishes = [good, bad].map(
      ({ drvPath }): DerivedPath => ({
        kind: "outputs",
        drvPath: drvPath as StorePath,
        through: ["out"],
        outputs: ["out"],
      }),
    );
    const settings = { keepFailed: false, keepGoing: true, substitute: false };
    const planned = await planMissing(services, wishes, settings);
    assert.equal([...planned.willBuild].sort(), [good.drvPath, bad.drvPath].sort());
    const realised = await realise(services, wishes, { settings, rebuild: false, events: () => {} });
    assert.equal(
      realised.map(({ result, error }) => [result.status, error?.code]),
      [
        [BUILD_STATUS.permanentFailure, "build.failed"],
        [BUILD_STATUS.built, undefined],
      ],
    );
    // The realisation is that of the derivation that was written.
    const [text = ""] = Object.values(realised[1]?.result.builtOutputs ?? {});
    assert.match(text, /"outPath":"[0-9a-z]{32}-good"/);
    const again = await realise(services, wishes.slice(0, 1), { settings, rebuild: false, events: () => {} });
    assert.is(again[0]?.result.status, BUILD_STATUS.alreadyValid);
  } finally {
    await services.close();
    bench.close();
  }
});

test.run();

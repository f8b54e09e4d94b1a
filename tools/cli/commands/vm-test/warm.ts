import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { addTemplateDerivations, checkHost, type Script } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { realise } from "../../realise.ts";
import { openStore } from "../../store.ts";
import { buildFlagsOf } from "./build-flags.ts";
import type { RunFlags } from "./index.ts";
import { makeReporter } from "./make-reporter.ts";
import { type PreparedTest, prepareTest } from "./prepare.ts";
import { type Attempt, isDirect } from "./run.ts";
import { selectTests } from "./select-tests.ts";

/** `floe vm-test template warm`: everything of a test but its story, so that its next run finds machines to copy. */
export default async function warm(this: CliContext, flags: RunFlags, ...words: string[]): Promise<void> {
  if (isDirect(flags)) checkHost(flags.platform === "aarch64-linux" ? "aarch64" : "x86_64", this.env["PATH"]);
  using store = openStore(flags);
  for (const name of await selectTests(this, flags, words)) {
    const test = await prepareTest(this, flags, store, name);
    if (test.manifest.boot === "cold") this.say(`${test.name} boots its machines each time: there is nothing to keep`);
    else if (isDirect(flags)) await warmDirectly(this, flags, store, test);
    else await warmBuilds(this, flags, store, test);
  }
}

/** What tests that are builds copy are builds, too. */
async function warmBuilds(
  context: CliContext,
  flags: RunFlags,
  store: LocalStore,
  { manifest, targets }: PreparedTest,
): Promise<void> {
  const made = await addTemplateDerivations({ store, manifest, targets });
  await realise(
    made.map(({ drvPath }) => ({ drvPath })),
    { context, store, flags: { ...buildFlagsOf(flags), rebuild: flags.rebuild } },
  );
}

async function warmDirectly(
  context: CliContext,
  flags: RunFlags,
  store: LocalStore,
  test: PreparedTest,
): Promise<void> {
  const { runDirect } = await import("./run-direct.ts");
  const reporter = makeReporter(context, flags, true);
  // One after the other: a boot takes all processors it can get.
  const script: Script = async (tools) => {
    for (const machine of Object.keys(test.manifest.machines)) await tools[machine]?.start();
  };
  let failure: Error | undefined;
  const onEnd = (_: PreparedTest, { error }: Attempt): boolean => {
    failure = error;
    return false;
  };
  await runDirect([test], { context, store, flags, reporter, script, onEnd }).finally(() => reporter.close());
  if (failure !== undefined) throw failure;
}

import type { CodedError } from "../../../../core/base/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { addTemplateDerivations, checkHost, type Script } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { realise } from "../../realise.ts";
import { openStore } from "../../store.ts";
import { buildFlagsOf } from "./build-flags.ts";
import type { RunFlags } from "./index.ts";
import { type Attempt, judgeAttempt } from "./judge-attempt.ts";
import { makeReporter } from "./make-reporter.ts";
import { type PreparedTest, prepareTest } from "./prepare.ts";
import { TemplateLogs } from "./template-logs.ts";
import { isDirect } from "./run.ts";
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
  const before: Attempt[] = [];
  for (;;) {
    const logs = new TemplateLogs(made.map(({ drvPath }) => drvPath));
    try {
      await realise(
        made.map(({ drvPath }) => ({ drvPath })),
        {
          context,
          store,
          flags: { ...buildFlagsOf(flags), rebuild: flags.rebuild },
          alsoTell: (event) => logs.take(event),
        },
      );
      return;
    } catch (error) {
      const cause = made.map(({ drvPath }) => logs.failureOf(drvPath)).find((found) => found !== undefined);
      if (cause === undefined) throw error;
      if (!isForgiven(context, before, cause)) throw cause;
    }
  }
}

/** Note a try that failed. @returns whether there is to be another one, since this host is to blame. */
function isForgiven(context: CliContext, before: Attempt[], error: CodedError): boolean {
  const attempt: Attempt = { number: before.length + 1, ok: false, unchanged: false, seconds: 0, error };
  const { isTriedAgain } = judgeAttempt(before, attempt, 0);
  before.push(attempt);
  if (isTriedAgain) context.say(`${error.message}\nwhat failed is this host, not the machine: booting it again, once`);
  return isTriedAgain;
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
  let failure: CodedError | undefined;
  const before: Attempt[] = [];
  const onEnd = (_: PreparedTest, { error }: Attempt): boolean => {
    failure = error;
    return error !== undefined && isForgiven(context, before, error);
  };
  await runDirect([test], { context, store, flags, reporter, script, onEnd }).finally(() => reporter.close());
  if (failure !== undefined) throw failure;
}

import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { addTemplateDerivations, checkHost, Reporter, type Script } from "../../../../vm-tests/driver/index.ts";
import type { CliContext } from "../../context.ts";
import { realise } from "../../realise.ts";
import { openStore } from "../../store.ts";
import type { RunFlags } from "./index.ts";
import { type PreparedTest, prepareTest } from "./prepare.ts";
import { folderFor, isDirect } from "./run.ts";

/** `floe vm-test template warm`: everything of a test but its story, so that its next run finds machines to copy. */
export default async function warm(this: CliContext, flags: RunFlags, ...names: string[]): Promise<void> {
  if (isDirect(flags)) checkHost(flags.platform === "aarch64-linux" ? "aarch64" : "x86_64", this.env["PATH"]);
  using store = openStore(flags);
  for (const name of names) {
    const test = await prepareTest(this, flags, store, name);
    if (test.manifest.boot === "cold") this.say(`${test.name} boots its machines each time: there is nothing to keep`);
    else if (isDirect(flags)) await warmDirectly(this, flags, store, test);
    else await warmBuilds(this, flags, store, test);
  }
}

/** What tests that are builds copy are builds, too. */
async function warmBuilds(
  context: CliContext,
  { timeout: _, ...flags }: RunFlags,
  store: LocalStore,
  { manifest, targets }: PreparedTest,
): Promise<void> {
  const made = await addTemplateDerivations({ store, manifest, targets });
  await realise(
    made.map(({ drvPath }) => ({ drvPath })),
    { context, store, flags },
  );
}

async function warmDirectly(
  context: CliContext,
  flags: RunFlags,
  store: LocalStore,
  test: PreparedTest,
): Promise<void> {
  const { runDirect } = await import("./run-direct.ts");
  const write = (text: string): void => void (flags.quiet || context.process.stderr.write(text));
  const stream = { write, interactive: false, color: context.terminal.color, columns: context.terminal.columns };
  const reporter = new Reporter(stream, { verbose: flags.verbose });
  // One after the other: a boot takes all processors it can get.
  const script: Script = async (tools) => {
    for (const machine of Object.keys(test.manifest.machines)) await tools[machine]?.start();
  };
  const options = { context, store, flags, folder: folderFor(context, flags, test), reporter, script };
  const { kind, error } = await runDirect(test, options).finally(() => reporter.close());
  if (kind === "failed" && error !== undefined) throw error;
}

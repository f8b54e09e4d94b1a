import { CodedError } from "../../core/base/index.ts";
import { type BuildsNeeded, realisePlan } from "../../core/host/evaluator/index.ts";
import type { LocalStore } from "../../core/host/local-store/index.ts";
import { parseStorePath } from "../../core/store/index.ts";
import type { CliContext } from "./context.ts";
import type { BuildFlags, LockFlags } from "./flags.ts";
import { tryRealise } from "./realise.ts";

/** What the flags of builds are where a command has none. */
const PLAIN: Omit<BuildFlags, "store" | "locked"> = {
  quiet: false,
  verbose: false,
  substitute: true,
  offline: false,
  refresh: false,
  fallback: true,
  cores: 0,
  keepFailed: false,
  keepGoing: false,
  rebuild: false,
  rounds: 1,
  relaxedSandbox: false,
  logLines: 25,
} as Omit<BuildFlags, "store" | "locked">;

/** Builds outputs that evaluations read, by the flags of the command. */
export async function buildForEvaluation(
  context: CliContext,
  store: LocalStore,
  flags: Partial<LockFlags & BuildFlags>,
  { needs, plan }: BuildsNeeded,
): Promise<void> {
  await realisePlan(store, plan);
  const outputs = new Map<string, string[]>();
  for (const { drvPath, output } of needs) outputs.set(drvPath, [...(outputs.get(drvPath) ?? []), output]);
  const targets = [...outputs].map(([drvPath, names]) => ({ drvPath: parseStorePath(drvPath), outputs: names }));
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  // They are built as if asked for, and never again because somebody wants to compare the result of the command.
  const own = { ...PLAIN, ...given, rebuild: false, rounds: 1, keepGoing: false };
  if (own.quiet !== true) context.say(`Building for the evaluation: ${needs.map(({ path }) => path).join(", ")}`);
  const { exitCode, failures } = await tryRealise(targets, { context, store, flags: own });
  const [failure] = failures;
  if (failure === undefined) return;
  const { at } =
    needs.find(({ drvPath }) => drvPath === failure.drvPath) ?? (needs[0] as BuildsNeeded["needs"][number]);
  const { code, message } = failure.error;
  // Details and hints were shown with each failure, when it happened.
  throw new CodedError(code, message, { at, exitCode });
}

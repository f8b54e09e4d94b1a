import { CodedError } from "../../core/base/index.ts";
import type { BuildTarget } from "../../core/build/index.ts";
import { type EvaluationResult, realisePlan } from "../../core/host/evaluator/index.ts";
import { openFlake } from "../../core/host/flake/index.ts";
import { parseStorePath } from "../../core/store/index.ts";
import { lockOptions } from "./lock-options.ts";
import type { Installable } from "./installable.ts";
import type { Resolved, ResolveOptions } from "./resolve.ts";
import { whileSaying } from "./ui/status-line.ts";

type FlakeInstallable = Extract<Installable, { kind: "flake" }>;

/** A package or a system, as evaluations give them. */
interface BuildableValue {
  readonly type: string;
  readonly drvPath: string;
  readonly outPath: string;
  readonly outputs: Readonly<Record<string, string>>;
  readonly meta?: { readonly mainProgram?: string };
}

/** Evaluate an attribute of a flake and write the derivations it needs to the store. */
export async function resolveAttribute(installable: FlakeInstallable, options: ResolveOptions): Promise<Resolved> {
  const { context, store, flags, kinds } = options;
  const { flake: reference, attribute, outputs, through } = installable;
  const onNotice = flags.quiet ? undefined : (text: string) => context.say(text);
  const { result, watched } = await whileSaying(context, `evaluating ${reference}#${attribute}`, async () => {
    await using lock = await lockOptions(context, flags, store);
    const flake = await openFlake({ ...lock.options, reference, store, onNotice });
    const evaluated = await flake.evaluate({ attribute, ...(kinds === undefined ? {} : { kinds }) });
    await realisePlan(store, evaluated.plan, onNotice);
    return { result: evaluated, watched: () => flake.watched(evaluated) };
  });
  const { value } = result;
  const found = { attribute: result.attribute, value, onHost: result.onHost, watched, paths: [] };
  if (isBuildable(value)) {
    const { mainProgram } = value.meta ?? {};
    const targets = [through === undefined ? target(value, outputs) : nestedTarget(value, through, outputs)];
    return { ...found, targets, ...(mainProgram === undefined ? {} : { mainProgram }) };
  }
  const { context: made, sourceContext: sources } = result;
  // What lies in sources alone is there already.
  if (made.length === 0 && sources.length > 0)
    return { ...found, targets: [], paths: sources.map((source) => parseStorePath(source)) };
  return { ...found, targets: referredTo(result, attribute) };
}

function isBuildable(value: unknown): value is BuildableValue {
  return typeof value === "object" && value !== null && "type" in value && "drvPath" in value && "outputs" in value;
}

type Wanted = FlakeInstallable["outputs"];

function target(value: BuildableValue, wanted: Wanted): BuildTarget {
  const names = Object.keys(value.outputs);
  const missing = wanted === "all" ? undefined : wanted?.find((name) => !names.includes(name));
  if (missing !== undefined) {
    throw new CodedError(
      "installable.no-output",
      `Cannot build output "${missing}": found the outputs ${names.join(", ")}`,
      { hint: `Write one of them after "^": .#name^${names[0] ?? "out"}` },
    );
  }
  const main = names.filter((name) => value.outputs[name] === value.outPath);
  const drvPath = parseStorePath(value.drvPath);
  return wanted === "all" ? { drvPath } : { drvPath, outputs: wanted ?? main };
}

/** Outputs of an output: their names show when that is built. */
function nestedTarget(value: BuildableValue, through: readonly string[], outputs: Wanted): BuildTarget {
  const { drvPath } = target(value, through.slice(0, 1));
  return outputs === "all" || outputs === undefined ? { drvPath, through } : { drvPath, through, outputs };
}

/** Everything that a value which is no package itself refers to: the images of a machine test, a path in a text. */
function referredTo({ context }: EvaluationResult, attribute: string): BuildTarget[] {
  if (context.length > 0) return context.map((item) => ({ ...item, drvPath: parseStorePath(item.drvPath) }));
  throw new CodedError(
    "installable.nothing-to-build",
    `Cannot build "${attribute}": it refers to nothing that is built`,
    {
      hint: `\`floe eval\` shows its value.`,
    },
  );
}

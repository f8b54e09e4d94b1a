import { CodedError } from "../../../../core/base/index.ts";
import { outputId } from "../../../../core/build/index.ts";
import type { BuildReport } from "../../../../core/host/builder/index.ts";
import { formatAttribute, locateOutput, platformOf, type ResolvedInputs } from "../../../../core/flake/index.ts";
import { type AskedOutput, FLAKE_FILE_NAME, realisePlan } from "../../../../core/host/evaluator/index.ts";
import {
  type AskedOutputs,
  askOutputs,
  type FaultyOutput,
  hostPlatform,
  type OpenFlake,
  outlineFlake,
} from "../../../../core/host/flake/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { parseStorePath, type StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { showError } from "../../errors.ts";
import { whileSaying } from "../../ui/status-line.ts";
import type { CheckFlags } from "./index.ts";
import { type Opened, openForCommand } from "./open.ts";

/** Most outputs that are told with a fault that they share. */
const MAX_OUTPUTS = 8;

/** Something that is wrong with a flake. */
interface Fault {
  readonly stage: "types" | "evaluation" | "build";
  /** The output it concerns, where it concerns one. */
  readonly attribute?: string;
  readonly error: CodedError;
}

/** `floe flake check`: all that is wrong with a flake, at once. */
export default async function check(this: CliContext, flags: CheckFlags, reference: string): Promise<void> {
  using opened = await openForCommand(this, { ...flags, flake: reference });
  const { flake, store } = opened;
  // Where inputs cannot be resolved no output can be evaluated, and that is told there.
  const resolved = flags.types ? await flake.resolveInputs().catch(() => undefined) : undefined;
  const [types, evaluated] = await whileSaying(this, `checking ${flake.directory}`, () =>
    Promise.all([typeFaults(opened, resolved, this.signal), evaluateAll(flake, flags)]),
  );
  this.signal.throwIfAborted();
  for (const warning of evaluated.warnings) this.say(`warning: ${warning}`);
  const faults: Fault[] = [...types, ...evaluated.faults];
  const checks = evaluated.outputs.filter(({ type, path }) => type === "check" && platformOf(path) === hostPlatform());
  const mayBuild = flags.build && checks.length > 0 && (flags.keepGoing || faults.length === 0);
  const failed = new Set<string | undefined>();
  if (mayBuild) {
    for (const plan of evaluated.plans) await realisePlan(store, plan, (text) => this.say(text));
    const found = await buildFaults(this, { flags, flake, store, checks });
    for (const { attribute } of found) failed.add(attribute);
    faults.push(...found);
  }
  const built = checks.filter(({ path }) => mayBuild && !failed.has(formatAttribute(path)));
  report(this, flags, { faults, outputs: evaluated.outputs, built, evaluated });
  if (faults.length > 0) this.exitWith(1);
}

async function typeFaults(
  { flake, store }: Opened,
  resolved: ResolvedInputs | undefined,
  signal: AbortSignal,
): Promise<Fault[]> {
  if (resolved === undefined) return [];
  const { checkTypes } = await import("../../../../core/host/types/index.ts");
  const hostPath = (path: string): string => store.realPath(path as StorePath);
  const found = await checkTypes({ directory: flake.directory, resolved, hostPath, signal }).catch(asFault);
  return found.map((error) => ({ stage: "types", error }));
}

interface Evaluated extends Omit<AskedOutputs, "faults"> {
  readonly faults: readonly Fault[];
  readonly warnings: readonly string[];
}

async function evaluateAll(flake: OpenFlake, { allPlatforms }: CheckFlags): Promise<Evaluated> {
  const outline = await outlineFlake(flake).catch(asFault);
  // Without any outputs there is one fault, and it hides the others.
  if (Array.isArray(outline))
    return {
      outputs: [],
      plans: [],
      warnings: [],
      faults: outline.map((error) => ({ stage: "evaluation", error })),
    };
  const paths = outline.paths.filter((path) => allPlatforms || [undefined, hostPlatform()].includes(platformOf(path)));
  const asked = await askOutputs(flake, "check", paths);
  const faults = [...outline.faults, ...asked.faults].map(
    ({ path, error }: FaultyOutput): Fault => ({
      stage: "evaluation",
      attribute: formatAttribute(path),
      error,
    }),
  );
  const warnings = [
    ...outline.warnings.map(({ message }) => message),
    ...asked.outputs.flatMap((output) => output.warnings ?? []),
  ];
  return { ...asked, faults, warnings };
}

/** An error that says what is wrong with a flake; any other is none of the flake's. */
function asFault(error: unknown): CodedError[] {
  if (error instanceof CodedError && /^(flake|evaluation|types)\./.test(error.code)) return [error];
  if (error instanceof CodedError && error.at !== undefined) return [error];
  throw error;
}

interface BuildChecksOptions {
  readonly flags: CheckFlags;
  readonly flake: OpenFlake;
  readonly store: LocalStore;
  readonly checks: readonly AskedOutput[];
}

async function buildFaults(context: CliContext, options: BuildChecksOptions): Promise<Fault[]> {
  const { flags, flake, store, checks } = options;
  const { tryRealise } = await import("../../realise.ts");
  const drvPaths = checks.map(({ drvPath = "" }) => parseStorePath(drvPath));
  const built = await tryRealise(
    drvPaths.map((drvPath) => ({ drvPath })),
    { context, store, flags },
  );
  const { readFile } = await import("node:fs/promises");
  const file = `${flake.directory}/${FLAKE_FILE_NAME}`;
  const text = await readFile(file, "utf8");
  return checks.flatMap(({ path }, i): Fault[] => {
    const drvPath = drvPaths[i] as (typeof drvPaths)[number];
    const error = buildError(formatAttribute(path), drvPath, built, store);
    if (error === undefined) return [];
    const { line = 1, column = 1 } = locateOutput(text, path) ?? {};
    const at = { file, line, column };
    const { code, message, details } = error;
    return [
      {
        stage: "build",
        attribute: formatAttribute(path),
        error: new CodedError(code, message, { at, details, hint: `Read its log with: floe log ${drvPath}` }),
      },
    ];
  });
}

/** Why a check was not built; its details were shown when it happened. */
function buildError(
  attribute: string,
  drvPath: ReturnType<typeof parseStorePath>,
  { failures, impure }: BuildReport,
  store: LocalStore,
): CodedError | undefined {
  const own = failures.find((failure) => failure.drvPath === drvPath)?.error;
  if (own !== undefined) return new CodedError(own.code, `Cannot build "${attribute}": ${own.message}`);
  const drv = store.readDerivation(drvPath);
  const isBuilt = Object.keys(drv.outputs).every((name) => {
    const output = impure.get(outputId({ drvPath, output: name })) ?? store.findOutput(drv, name);
    return output !== undefined && store.isValid(output);
  });
  if (isBuilt) return undefined;
  const because = failures.map(({ error }) => error.message);
  return new CodedError(
    "flake.check-not-built",
    `Cannot build "${attribute}": ${because.length === 0 ? "it was not begun" : "something it needs, or another check, failed"}`,
    { details: because },
  );
}

interface Findings {
  readonly faults: readonly Fault[];
  readonly outputs: readonly AskedOutput[];
  readonly built: readonly AskedOutput[];
  readonly evaluated: Evaluated;
}

function report(context: CliContext, flags: CheckFlags, { faults, outputs, built, evaluated }: Findings): void {
  if (flags.json) {
    return context.printJson({
      ok: faults.length === 0,
      outputs: outputs.map(({ path, type, drvPath }) => ({
        attribute: formatAttribute(path),
        type,
        ...(drvPath === undefined ? {} : { drvPath }),
      })),
      built: built.map(({ path }) => formatAttribute(path)),
      warnings: evaluated.warnings,
      faults: faults.map(({ stage, attribute, error: { code, message, at, hint, details } }) => ({
        stage,
        ...(attribute === undefined ? {} : { attribute }),
        code,
        message,
        ...(at === undefined ? {} : { at }),
        ...(hint === undefined ? {} : { hint }),
        ...(details === undefined ? {} : { details }),
      })),
    });
  }
  const { cwd, terminal } = context;
  const told = withoutRepeats(faults);
  for (const error of told) context.say(showError(error, { cwd, color: terminal.color }));
  if (flags.quiet) return;
  const checked = outputs.length + evaluated.faults.length;
  const work = `${count(checked, "output")} evaluated, ${count(built.length, "check")} built`;
  context.say(faults.length === 0 ? `nothing is wrong: ${work}` : `${count(told.length, "fault")}: ${work}`);
}

/** One slip in a module is a fault of every output that the module is part of: it is told once, with all of them. */
function withoutRepeats(faults: readonly Fault[]): readonly CodedError[] {
  const groups = new Map<string, Fault[]>();
  for (const fault of faults) {
    const { code, message, at } = fault.error;
    const key = JSON.stringify([fault.stage, code, message, at]);
    groups.set(key, [...(groups.get(key) ?? []), fault]);
  }
  return [...groups.values()].map((group) => {
    const [{ error }] = group as [Fault];
    const outputs = [...new Set(group.flatMap(({ attribute }) => attribute ?? []))];
    if (outputs.length < 2) return error;
    const { code, message, at, hint, details = [], cause } = error;
    const shown = outputs.slice(0, MAX_OUTPUTS).join(", ");
    const more = outputs.length > MAX_OUTPUTS ? ` and ${outputs.length - MAX_OUTPUTS} more` : "";
    return new CodedError(code, message, { at, hint, details: [...details, `stops ${shown}${more}`], cause });
  });
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

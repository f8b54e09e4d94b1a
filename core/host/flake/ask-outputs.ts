import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import * as v from "valibot";
import { CodedError } from "../../base/index.ts";
import { findOutputKind, locateOutput } from "../../flake/index.ts";
import { type AskedOutput, type EvaluationPlan, FLAKE_FILE_NAME, type OutlinedOutputs } from "../evaluator/index.ts";
import type { OpenFlake } from "./open-flake.ts";

type Path = readonly string[];

/** A member of the outputs that fails. */
export interface FaultyOutput {
  readonly path: Path;
  readonly error: CodedError;
}

export interface AskedOutputs {
  /** In the order they were asked for. */
  readonly outputs: readonly AskedOutput[];
  readonly faults: readonly FaultyOutput[];
  /** What has to be in the store before checks can be built. */
  readonly plans: readonly EvaluationPlan[];
}

const path = v.array(v.string());
const outlineSchema = v.object({
  paths: v.array(path),
  warnings: v.array(v.object({ path, message: v.string() })),
});
const askedSchema = v.array(
  v.object({
    path,
    type: v.string(),
    name: v.optional(v.string()),
    description: v.optional(v.string()),
    platforms: v.optional(v.array(v.string())),
    tags: v.optional(v.array(v.string())),
    drvPath: v.optional(v.string()),
    warnings: v.optional(v.array(v.string())),
  }),
);

/** Members that take long: each is most of a whole machine. */
const HEAVY: readonly string[] = ["system", "home", "vm-test"];
const HEAVY_WEIGHT = 16;
/** What an evaluation died of, or what it wanted to read and could not be built: others may have nothing to do with either. */
const OF_A_MEMBER = /^(evaluation|build)\./;

/**
 * Paths of all members of a flake's outputs; none of them is made.
 *
 * @throws {CodedError} as {@link OpenFlake.evaluate}, where there are no outputs at all
 */
export async function outlineFlake(
  flake: OpenFlake,
): Promise<OutlinedOutputs & { readonly faults: readonly FaultyOutput[] }> {
  const { value, faults } = await flake.evaluate({ attribute: "", want: "outline" });
  return { ...parse<OutlinedOutputs>(outlineSchema, value), faults: faults.map((fault) => placed(fault, flake)) };
}

/**
 * Look at members of the outputs (`show`), or make them to their end (`check`), in several evaluations at the same time.
 *
 * An evaluation that dies of one of them (a loop without end, all memory taken), or reads an output that cannot be built, is asked again
 * for each alone, so that the others still have their answer.
 *
 * @param jobs Evaluations at the same time. Default as many as there are processors.
 */
export async function askOutputs(
  flake: OpenFlake,
  want: "show" | "check",
  paths: readonly Path[],
  jobs = availableParallelism(),
): Promise<AskedOutputs> {
  const outputs: AskedOutput[] = [];
  const faults: FaultyOutput[] = [];
  const plans: EvaluationPlan[] = [];
  const ask = async (part: readonly Path[]): Promise<void> => {
    if (part.length === 0) return;
    try {
      const result = await flake.evaluate({ attribute: "", want, candidates: part });
      outputs.push(
        ...parse<readonly AskedOutput[]>(askedSchema, result.value).map((each) => withPlaces(each, result.onKeys)),
      );
      faults.push(...result.faults);
      plans.push(result.plan);
    } catch (error) {
      if (!(error instanceof CodedError) || !OF_A_MEMBER.test(error.code)) throw error;
      const [first] = part;
      if (part.length === 1 && first !== undefined) {
        faults.push({ path: first, error });
        return;
      }
      // Each alone, and not in halves: starting a process is short, and a limit of time is long.
      for (const each of part) await ask([each]);
    }
  };
  await Promise.all(divide(paths, want === "show" ? 1 : jobs).map(ask));
  const order = new Map(paths.map((each, i) => [each.join("\0"), i]));
  const place = (item: { readonly path: Path }): number => order.get(item.path.join("\0")) ?? paths.length;
  return {
    outputs: outputs.sort((a, b) => place(a) - place(b)),
    faults: faults.sort((a, b) => place(a) - place(b)).map((fault) => placed(fault, flake)),
    plans,
  };
}

/** Parts of about the same weight, what is heavy first. */
function divide(paths: readonly Path[], count: number): Path[][] {
  const weight = ([output = ""]: Path): number =>
    HEAVY.includes(findOutputKind(output)?.type ?? "") ? HEAVY_WEIGHT : 1;
  const parts = Array.from({ length: Math.max(1, count) }, () => ({ weight: 0, paths: [] as Path[] }));
  for (const each of [...paths].sort((a, b) => weight(b) - weight(a))) {
    const part = parts.reduce((least, other) => (other.weight < least.weight ? other : least));
    part.paths.push(each);
    part.weight += weight(each);
  }
  return parts.map((part) => part.paths);
}

/** A fault that has no place of its own is told where the flake writes the member. */
function placed({ path: of, error }: FaultyOutput, flake: OpenFlake): FaultyOutput {
  if (error.at !== undefined) return { path: of, error };
  const file = `${flake.directory}/${FLAKE_FILE_NAME}`;
  const { code, message, hint, details, cause } = error;
  const { line = 1, column = 1 } = locateOutput(readFileSync(file, "utf8"), of) ?? {};
  return { path: of, error: new CodedError(code, message, { at: { file, line, column }, hint, details, cause }) };
}

function withPlaces(output: AskedOutput, onKeys: (text: string) => string): AskedOutput {
  return output.warnings === undefined ? output : { ...output, warnings: output.warnings.map(onKeys) };
}

/** @throws {CodedError} `evaluation.malformed-answer` */
function parse<Output>(schema: v.GenericSchema<unknown, unknown>, value: unknown): Output {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output as Output;
  throw new CodedError(
    "evaluation.malformed-answer",
    `Cannot read what the evaluation says of the outputs: ${result.issues[0].message}`,
  );
}

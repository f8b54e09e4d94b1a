import { readFileSync, statSync } from "node:fs";
import { CodedError, type SourceLocation } from "../../base/index.ts";
import { formatAttribute, type DeclaredInputs, type FlakeSettings, locateOutput } from "../../flake/index.ts";
import { parseAnswer } from "./answer-schema.ts";
import { FLAKE_FILE_NAME, type LockedFlake, makeQuestion, type Question } from "./locked-flake.ts";
import { makeNeededPlan, makePlan } from "./make-plan.ts";
import { Places } from "./places.ts";
import type { EvaluationPlan } from "./plan.ts";
import type { ContextItem, FileRead } from "./protocol.ts";
import type { Records } from "./record.ts";
import { tellPlaces, type ToldPlaces } from "./refine-places.ts";
import { toCodedError } from "./report-error.ts";
import { runChild, type RunChildOptions } from "./run-child.ts";
import type { Isolation } from "./sandbox.ts";

/** Data without functions or cycles. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The answer to a question. */
export interface EvaluationResult extends ToldPlaces {
  /** The path the attribute was found at: `packages.x86_64-linux.hello`. */
  readonly attribute: string;
  /** A package or system is `{ type: "package" | "system", name, drvPath, outPath, outputs, … }`. */
  readonly value: Json;
  readonly description?: string;
  /** What the flake wants commands to do. */
  readonly settings?: FlakeSettings;
  /** Members of the outputs that fail, of a question about many. */
  readonly faults: readonly { readonly path: readonly string[]; readonly error: CodedError }[];
  readonly plan: EvaluationPlan;
  /** Derivation outputs the value refers to. */
  readonly context: readonly ContextItem[];
  /** Sources the value refers to. */
  readonly sourceContext: readonly string[];
  readonly filesRead: readonly FileRead[];
  readonly fromRecord: boolean;
  /** How the evaluation was kept from the machine. */
  readonly isolation: Isolation;
  /** Paths that have to be as they are for the answer to hold; absent for one that was just made, and `undefined` when they are too many. */
  readonly watched?: () => readonly string[] | undefined;
}

/** The lock does not fit what the flake declares; there is no answer before it does. */
export interface LockNeeded {
  readonly kind: "lock-needed";
  readonly declared: DeclaredInputs;
  readonly description?: string;
  readonly settings?: FlakeSettings;
}

/** Outputs have to be built before there is an answer. */
export interface BuildsNeeded {
  readonly kind: "builds-needed";
  readonly needs: readonly {
    readonly path: string;
    readonly drvPath: string;
    readonly output: string;
    /** Where it is read, on this machine. */
    readonly at?: SourceLocation | undefined;
  }[];
  readonly plan: EvaluationPlan;
}

export interface EvaluateOptions extends RunChildOptions {
  readonly flake: LockedFlake;
  readonly question: Question;
  /** Where the answer is kept for the next time. */
  readonly records?: Records | undefined;
}

/**
 * Evaluate a flake in a process of its own.
 *
 * @throws {CodedError} `flake.attribute-missing`, `flake.malformed`, `evaluation.*`, and whatever the configuration raises, each
 *   with its place in the configuration.
 */
export async function evaluate(
  options: EvaluateOptions,
): Promise<({ readonly kind: "value" } & EvaluationResult) | LockNeeded | BuildsNeeded> {
  const { flake, question } = options;
  const asked = makeQuestion(flake, question);
  const places = new Places(asked.mounts);
  const modules = options.records?.modulesOf(places.onHost(asked.configFile));
  const { answer: json, isolation } = await runChild(asked, { ...options, modules });
  const { answer, files, trees, ways, near, missed, later } = parseAnswer(json);
  if (answer.kind === "error") {
    const subject =
      question.expression?.kind === "outputs"
        ? "the expression"
        : question.attribute === ""
          ? "the flake"
          : `"${question.attribute}"`;
    throw toCodedError(answer.error, { places, subject, near: near && closer(near, question, places) });
  }
  if (answer.kind === "inputs") {
    return {
      kind: "lock-needed",
      declared: answer.inputs,
      ...(answer.settings === undefined ? {} : { settings: answer.settings }),
      ...(answer.description === undefined ? {} : { description: answer.description }),
    };
  }
  if (answer.kind === "builds") {
    return {
      kind: "builds-needed",
      needs: answer.needs.map(({ at, ...need }) => ({
        ...need,
        ...(at === undefined ? {} : { at: { ...at, file: places.onHost(at.file) } }),
      })),
      plan: placed(() => makeNeededPlan(answer, asked), flake, places),
    };
  }
  if (later !== undefined) modules?.expect(asked.agent, later);
  const result: EvaluationResult = {
    attribute: formatAttribute(answer.attribute),
    value: (answer.value ?? null) as Json,
    ...(answer.settings === undefined ? {} : { settings: answer.settings }),
    ...(answer.description === undefined ? {} : { description: answer.description }),
    faults: (answer.faults ?? []).map(({ path, error }) => ({
      path,
      error: toCodedError(error, { places, subject: `"${formatAttribute(path)}"` }),
    })),
    plan: placed(() => makePlan(answer, asked), flake, places),
    context: answer.context,
    sourceContext: answer.sourceContext,
    filesRead: files,
    fromRecord: false,
    isolation,
    ...tellPlaces(places),
  };
  // It may come out otherwise next time: a file that was missing is not among those that were read.
  if (result.faults.length === 0 && missed !== true) options.records?.keep(flake, question, result, { trees, ways });
  return { kind: "value", ...result };
}

/** As much as the loader takes for a module. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

/** From the place of all outputs to the key of the one that is asked for, where that is written out. */
function closer(near: SourceLocation, { candidates }: Question, places: Places): SourceLocation {
  const file = places.onHost(near.file);
  let text: string;
  try {
    const stat = statSync(file);
    // A pipe that nobody writes to would make us wait, and what is too large for a module has no keys.
    if (!stat.isFile() || stat.size > MAX_CONFIG_BYTES) return near;
    text = readFileSync(file, "utf8");
  } catch {
    return near;
  }
  for (const path of candidates) {
    const { line, column, depth } = locateOutput(text, path) ?? { line: 0, column: 0, depth: 0 };
    if (depth > 0 && depth === path.length) return { file: near.file, line, column };
  }
  return near;
}

/** A plan that does not hold together was made by hand; nobody knows by which line. */
function placed(plan: () => EvaluationPlan, { directory }: LockedFlake, places: Places): EvaluationPlan {
  try {
    return plan();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code, message, cause } = error;
    throw new CodedError(code, places.onHost(message), {
      at: { file: `${directory}/${FLAKE_FILE_NAME}`, line: 1, column: 1 },
      cause,
    });
  }
}

/** The code inside that answers the question: texts come in, texts go out. */
import { callerLocation, CodedError } from "../../../base/index.ts";
import { beginEvaluation, currentEvaluation } from "../../../derivation/index.ts";
import { findStaleInputs, type Flake } from "../../../flake/index.ts";
import type { AgentAnswer, AgentQuestion } from "../protocol.ts";
import { readFlake } from "./declared.ts";
import { reportError } from "./errors.ts";
import { freezeReachable } from "./freeze.ts";
import { applied, evaluateExpression } from "./expression.ts";
import { EXPRESSION_START } from "./expression-place.ts";
import { type MadeArguments, makeArguments } from "./inputs.ts";
import { findAttribute, listNames } from "./lookup.ts";
import { checkOutputs, outline, showOutputs } from "./outputs.ts";
import { realmSourceHost } from "./source-host.ts";
import { findSystem, listOptions } from "./options.ts";
import { listPackages } from "./packages.ts";
import { printValue } from "./print.ts";
import { Converter } from "./to-json.ts";

export { ownFunction } from "./own-function.ts";
export { warmUp } from "./warm-up.ts";

/** Must come before any code of a source runs. */
export function begin(): void {
  beginEvaluation(realmSourceHost);
}

/** Freeze a part of the engine, given by its namespace, before configuration gets it. */
export function harden(exported: Readonly<Record<string, unknown>>): void {
  const isObject = (value: unknown): value is object =>
    typeof value === "function" || (typeof value === "object" && value !== null);
  freezeReachable(Object.values(exported).filter(isObject));
}

let refusedImport: CodedError | undefined;

/** Answers `import(…)`. Nothing here waits for a promise, so its rejection is told with the answer. */
export function refuseImport(specifier: string): never {
  refusedImport ??= new CodedError(
    "evaluation.import-refused",
    `Cannot import "${specifier}" while the evaluation runs: an evaluation does not wait`,
    {
      at: callerLocation(refuseImport),
      hint: 'Import it at the top of the file, or where it is needed: importSync("./name.ts") of "#floe/flake".',
    },
  );
  throw refusedImport;
}

/** An error that ended the run of a module, as an answer. */
export function failed(error: unknown): string {
  return JSON.stringify({ kind: "error", error: reportError(refusedImport ?? error) } satisfies AgentAnswer);
}

/**
 * @param exported The default export of the flake.
 * @param questionJson An `AgentQuestion`.
 * @param expression What the module of an expression exports.
 * @returns JSON of an `AgentAnswer`.
 */
export function answer(exported: unknown, questionJson: string, expression: unknown): string {
  const question = JSON.parse(questionJson) as AgentQuestion;
  let known: Pick<AgentAnswer & { kind: "inputs" }, "inputs" | "description" | "settings"> | undefined;
  try {
    const flake = readFlake(exported, `${question.flakeFolder}/flake.config.ts`);
    known = {
      inputs: flake.inputs,
      ...(flake.description === undefined ? {} : { description: flake.description }),
      ...(flake.settings === undefined ? {} : { settings: flake.settings }),
    };
    const stale =
      question.want === "inputs" || findStaleInputs(flake.inputs, question.lock, question.replaced).length > 0;
    if (stale) return JSON.stringify({ kind: "inputs", ...known } satisfies AgentAnswer);
    const value = answerValue(flake.flake, question, expression);
    if (currentEvaluation().needs.size > 0) return needsBuilds();
    if (refusedImport !== undefined) throw refusedImport;
    return JSON.stringify({ kind: "value", ...known, ...value } satisfies AgentAnswer);
  } catch (error) {
    // What came of a part that has to wait is not looked at.
    if (currentEvaluation().needs.size > 0) return needsBuilds();
    return JSON.stringify({
      kind: "error",
      error: reportError(refusedImport ?? error),
      ...(known === undefined ? {} : { inputs: known.inputs }),
    } satisfies AgentAnswer);
  }
}

/** What has to be built before this can be answered. */
function needsBuilds(): string {
  const { needs } = currentEvaluation();
  const asked = [...needs].map(([path, { drvPath, output, at }]) => ({ path, drvPath, output, at }));
  return JSON.stringify({ kind: "builds", needs: asked, ...made() } satisfies AgentAnswer);
}

/** All that this evaluation made. */
function made(): Pick<ValueAnswer, "derivations" | "sources"> {
  const { derivations, sources } = currentEvaluation();
  return {
    derivations: [...derivations].map(([path, text]) => ({ path, text })),
    sources: [...sources].map(([path, source]) => ({ path, ...source })),
  };
}

type ValueAnswer = Omit<AgentAnswer & { kind: "value" }, "kind" | "inputs" | "description" | "settings">;

function answerValue(flake: Flake, question: AgentQuestion, expression: unknown): ValueAnswer {
  const converter = new Converter(question.expression === undefined ? undefined : EXPRESSION_START);
  const asked = answerWant(makeArguments(flake, question), question, converter, expression);
  return { ...asked, ...converter.context(), ...made() };
}

function answerWant(
  made: MadeArguments,
  question: AgentQuestion,
  converter: Converter,
  expression: unknown,
): Pick<ValueAnswer, "attribute" | "value" | "faults"> {
  const { want, candidates } = question;
  const outputs = made.outputs();
  switch (want) {
    case "outline":
      return { attribute: [], ...outline(outputs) };
    case "show":
      return { attribute: [], ...showOutputs(outputs, candidates) };
    case "check":
      return { attribute: [], ...checkOutputs(outputs, candidates, converter) };
    case "packages":
      return { attribute: [], value: listPackages(outputs, candidates) };
    case "options": {
      const found = findSystem(outputs, question);
      return { attribute: found.path, ...listOptions(found) };
    }
    default: {
      const { path, value } =
        question.expression === "outputs"
          ? { path: ["expression"], value: evaluateExpression(expression, made) }
          : applied(findAttribute(outputs, question), question, expression);
      if (want === "print") return { attribute: path, value: printValue(value) };
      return {
        attribute: path,
        value: want === "names" ? listNames({ path, value }) : converter.convert(value, path),
      };
    }
  }
}

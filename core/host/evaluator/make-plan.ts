import { CodedError } from "../../base/index.ts";
import { parseDerivationReferences } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { AgentAnswer, EvaluatorQuestion, Mount } from "./protocol.ts";
import type { EvaluationPlan, PlanSource } from "./plan.ts";

/**
 * The part of what an evaluation made that its answer needs, with places on the host instead of those inside.
 *
 * @throws {CodedError} `evaluation.malformed-answer` when something that is referred to was not made, or a tree lies outside
 *   of the sources.
 */
export function makePlan(answer: AgentAnswer & { kind: "value" }, question: EvaluatorQuestion): EvaluationPlan {
  return planFrom([...answer.context.map((item) => item.drvPath), ...answer.sourceContext], answer, question);
}

/** {@link makePlan} for the outputs that have to be built before there is an answer. */
export function makeNeededPlan(answer: AgentAnswer & { kind: "builds" }, question: EvaluatorQuestion): EvaluationPlan {
  return planFrom([...new Set(answer.needs.map(({ drvPath }) => drvPath))], answer, question);
}

function planFrom(
  roots: readonly string[],
  answer: Pick<AgentAnswer & { kind: "value" }, "derivations" | "sources">,
  question: EvaluatorQuestion,
): EvaluationPlan {
  const derivations = new Map(answer.derivations.map((derivation) => [derivation.path, derivation.text]));
  const sources = new Map(answer.sources.map((source) => [source.path, source]));
  const wanted = new Set<string>();
  const pending = [...roots];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (wanted.has(path)) continue;
    wanted.add(path);
    const text = derivations.get(path);
    if (text !== undefined) {
      pending.push(...referencesIn(path, text));
      continue;
    }
    const source = sources.get(path);
    if (source === undefined) throw malformed(`"${path}" is referred to, but was not made`);
    if (source.kind === "text") pending.push(...source.references);
  }
  return {
    roots,
    // The order they were made in, so that what a derivation refers to comes before it.
    derivations: answer.derivations.filter(({ path }) => wanted.has(path)),
    sources: answer.sources
      .filter(({ path }) => wanted.has(path))
      .map(
        (source): PlanSource =>
          source.kind === "text"
            ? { ...source, references: [...source.references] }
            : placedTree(source, question.mounts),
      ),
  };
}

function referencesIn(path: string, text: string): readonly StorePath[] {
  const name = path.slice(path.lastIndexOf("/") + 34, -".drv".length);
  try {
    return parseDerivationReferences(text, name);
  } catch (cause) {
    throw malformed(`"${path}" is no derivation`, cause);
  }
}

function malformed(found: string, cause?: unknown): CodedError {
  return new CodedError("evaluation.malformed-answer", `Cannot use the answer of the evaluation: ${found}`, { cause });
}

type Tree = Extract<(AgentAnswer & { kind: "value" })["sources"][number], { kind: "tree" }>;

function placedTree({ files, ...source }: Tree, mounts: readonly Mount[]): PlanSource {
  const mount = [...mounts]
    .sort((a, b) => b.path.length - a.path.length)
    .find(({ path }) => source.from === path || source.from.startsWith(`${path}/`));
  const relative = mount === undefined ? [] : source.from.slice(mount.path.length).split("/").slice(1);
  const harmless =
    relative.every((part) => part !== "" && part !== "." && part !== "..") && (files ?? []).every(isPlainPath);
  if (mount === undefined || !harmless) throw malformed(`the source "${source.from}" lies in no input`);
  return {
    ...source,
    from: [mount.hostPath, ...relative].join("/"),
    ...(files === undefined ? {} : { files: [...files] }),
  };
}

function isPlainPath(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

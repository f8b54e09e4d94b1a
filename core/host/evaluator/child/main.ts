/**
 * The process of one evaluation.
 *
 * In: a line with the question, a line with the stripped modules known. Out: a greeting, a line with the stripped modules
 * that were used (empty when all were known), a line with the answer.
 */
import { readFileSync, writeSync } from "node:fs";
import type { Module, SourceTextModule } from "node:vm";
import {
  type AgentAnswer,
  type EngineModules,
  engineModulesFile,
  type EvaluatorAnswer,
  type EvaluatorQuestion,
  GREETING,
  type Mount,
} from "../protocol.ts";
import { LoadError, Loader, type StrippedModules } from "./loader.ts";
import { Mounts } from "./mounts.ts";
import { makeHostCalls, makeRealm } from "./realm.ts";
import { Trees } from "./trees.ts";

interface Agent {
  begin(): void;
  answer(exported: unknown, questionJson: string): string;
  failed(error: unknown): string;
  refuseImport(specifier: string): never;
}

function main(): void {
  writeAll(`${GREETING}\n`);
  const [questionJson, strippedJson] = readFileSync(0, "utf8").split("\n", 2) as [string, string];
  const question = JSON.parse(questionJson) as EvaluatorQuestion;
  const stripped: StrippedModules = {
    engine: readEngineModules(question.engine),
    known: JSON.parse(strippedJson) as Record<string, string>,
    used: {},
    fresh: false,
  };
  const mounts = new Mounts(question.mounts);
  const trees = new Trees(mounts);
  const answer = evaluate(question, mounts, trees, stripped);
  writeAll(
    `${JSON.stringify({ answer, files: [...mounts.reads.values()], trees: [...trees.reads.values()] } satisfies EvaluatorAnswer)}\n`,
  );
}

/** None where there is no bundle, or one made by another Node. */
function readEngineModules(engine: string): EngineModules["modules"] {
  let text: string;
  try {
    text = readFileSync(engineModulesFile(engine), "utf8");
  } catch {
    // Where there is no folder of bundles it is not among those that may be read, and asking is refused.
    return {};
  }
  const { node, modules } = JSON.parse(text) as EngineModules;
  return node === process.version ? modules : {};
}

function evaluate(question: EvaluatorQuestion, mounts: Mounts, trees: Trees, stripped: StrippedModules): AgentAnswer {
  /** A syntax error of an input: it ends the process, which shows the place as no caught error does. */
  let broken: { readonly error: unknown } | undefined;
  const loadFlake = (id: string): unknown => {
    let module: SourceTextModule;
    try {
      module = loader.load(question.agent.nodes[id]?.configFile as string);
    } catch (error) {
      if (!(error instanceof LoadError)) broken = { error };
      throw error;
    }
    try {
      return exportOf(loader.run(module));
    } catch (error) {
      thrown = error;
      return undefined;
    }
  };
  let thrown: unknown;
  const engine = question.mounts.find((mount) => mount.folders !== undefined) as Mount;
  const loader = new Loader({
    context: makeRealm(),
    mounts,
    engine,
    stripped,
    hostCalls: makeHostCalls({ trees, loadFlake, thrown: () => thrown }),
    refuseImport: (specifier) => agent.refuseImport(`${specifier}`),
  });
  const inside = `${engine.path}/core/host/evaluator/inside`;
  loader.run(loader.load(`${inside}/prelude.ts`));
  const agent = loader.run(loader.load(`${inside}/agent.ts`)).namespace as unknown as Agent;
  agent.begin();
  let flake: SourceTextModule;
  try {
    flake = loader.load(question.configFile);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    writeAll("\n");
    return { kind: "error", error: error.report };
  }
  // Before any code of the flake has run, so that the floe process may rely on it in other evaluations.
  writeAll(`${stripped.fresh ? JSON.stringify(stripped.used) : ""}\n`);
  let exported: unknown;
  try {
    exported = exportOf(loader.run(flake));
  } catch (error) {
    return JSON.parse(agent.failed(error)) as AgentAnswer;
  }
  const answer = JSON.parse(agent.answer(exported, JSON.stringify(question.agent))) as AgentAnswer;
  if (broken !== undefined) throw broken.error;
  return answer;
}

function exportOf(module: Module): unknown {
  return (module.namespace as { default?: unknown }).default;
}

/** The pipe may take less than all of it at once. */
function writeAll(text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
    }
  }
}

// A promise of the configuration that fails is its own affair: nothing here waits for one.
process.on("unhandledRejection", () => {});
main();

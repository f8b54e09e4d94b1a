/**
 * The process of one evaluation.
 *
 * In: a line with the question; on descriptor 3 the stripped modules known, or nothing. Out: a greeting, a line with the stripped modules
 * that were used (empty when all were known), a line with the answer, a line with compiled code or a profile where that was asked for.
 * Under a debugger more lines come and go, see `debug-protocol.ts`.
 */
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import type { Module, SourceTextModule } from "node:vm";
import { DEBUG_ARGUMENT, DEBUG_MARK, type DebugCommand, type DebugMessage } from "../debug-protocol.ts";
import { EXPRESSION_PLACE } from "../inside/expression-place.ts";
import {
  type AgentAnswer,
  type EvaluatorAnswer,
  type EvaluatorQuestion,
  GREETING,
  type ModuleTreeReport,
  type Mount,
} from "../protocol.ts";
import { EngineImage } from "./engine-image.ts";
import { forbidCodeFromText } from "./forbid-code.ts";
import { LineInput } from "./lines.ts";
import { LoadError, Loader, MAX_MODULE_BYTES, type StrippedModules } from "./loader.ts";
import { Mounts, SourceRefused } from "./mounts.ts";
import { underDebugger } from "./debug.ts";
import { profiled } from "./profile.ts";
import { guardCalls, makeHostCalls, makeRealm } from "./realm.ts";
import { makeStripTypes, type StripTypes } from "./strip-types.ts";
import { Trees } from "./trees.ts";
import { fileOfUrl, watch } from "./watch.ts";
import { writeAll } from "./write.ts";

interface Agent {
  begin(): void;
  harden(exported: object): void;
  answer(exported: unknown, questionJson: string, expression: unknown): string;
  failed(error: unknown): string;
  refuseImport(specifier: string): never;
}

interface Kept {
  image?: EngineImage;
  debug?: ReturnType<typeof underDebugger>;
}

function main(): void {
  forbidCodeFromText();
  writeAll(1, `${GREETING}\n`);
  // Under a debugger what is to be done comes later on the same way; else what follows the line is for whoever keeps the question.
  const input = process.argv.includes(DEBUG_ARGUMENT) ? new LineInput(0) : undefined;
  const questionJson = (input === undefined ? readFileSync(0, "utf8").split("\n", 1)[0] : input.next()) as string;
  const question = JSON.parse(questionJson) as EvaluatorQuestion;
  const stripped: StrippedModules = {
    known: readStripped(),
    used: {},
    fresh: false,
  };
  const mounts = new Mounts(question.mounts);
  const trees = new Trees(mounts);
  const kept: Kept = {};
  if (input !== undefined && question.debug !== undefined) {
    const { breaks, onWarn } = question.debug;
    const ask = (message: DebugMessage): DebugCommand => {
      writeAll(1, `${DEBUG_MARK}${JSON.stringify(message)}\n`);
      const line = input.next();
      // Nobody is there any more who could say what to do.
      if (line === undefined) process.exit(1);
      return JSON.parse(line) as DebugCommand;
    };
    kept.debug = underDebugger({ breaks, onWarn, ask, placeOf: (url) => configurationFile(url, mounts) });
  }
  const ask = (): AgentAnswer => evaluate(question, mounts, trees, stripped, kept);
  const { value: answer, profile } = question.profile === true ? profiled(ask) : { value: ask(), profile: undefined };
  const whole: EvaluatorAnswer = {
    answer,
    files: [...mounts.reads.values()],
    trees: [...trees.reads.values()],
    ways: mounts.ways(),
    ...(answer.kind === "error" ? { near: placeOfOutputs(question, mounts) } : {}),
  };
  writeAll(1, `${JSON.stringify(whole)}\n`);
  if (profile !== undefined) writeAll(1, `${JSON.stringify(profile)}\n`);
  if (question.tellCode === true) writeAll(1, `${kept.image?.code().toString("base64") ?? ""}\n`);
}

/** Modules of earlier evaluations; none where the file of them was cut short. */
function readStripped(): Record<string, string> {
  try {
    return JSON.parse(readFileSync(3, "utf8")) as Record<string, string>;
  } catch {
    return {};
  }
}

function evaluate(
  question: EvaluatorQuestion,
  mounts: Mounts,
  trees: Trees,
  stripped: StrippedModules,
  kept: Kept,
): AgentAnswer {
  /** A syntax error of an input: it ends the process, which shows the place as no caught error does. */
  let broken: { readonly error: unknown } | undefined;
  const runNow = (load: () => SourceTextModule): Module | undefined => {
    let module: SourceTextModule;
    try {
      module = load();
      hardenEngine();
    } catch (error) {
      if (!(error instanceof LoadError)) broken = { error };
      throw error;
    }
    try {
      return loader.run(module);
    } catch (error) {
      thrown = error;
      return undefined;
    }
  };
  const loadFlake = (id: string): unknown => {
    const module = runNow(() => loader.load(question.agent.nodes[id]?.configFile as string));
    return module === undefined ? undefined : exportOf(module);
  };
  const loadLater = (from: string, specifier: string): unknown =>
    runNow(() => loader.loadLater(from, specifier))?.namespace;
  const built = new Set(question.built ?? []);
  const readOutput = (path: string, object: string): string | null =>
    built.has(object) ? textOf(mounts.read(mounts.locate(path), MAX_MODULE_BYTES), path) : null;
  const hashModules = (file: string): ModuleTreeReport => {
    const { files, others } = loader.filesOf(file);
    const root = commonFolder(files);
    const list = files.map((each) => each.slice(root.length + 1));
    const { narHash, files: kept } = trees.hashFiles(root, list);
    return { root, files: kept, narHash, others };
  };
  let thrown: unknown;
  const engine = question.mounts.find((mount) => mount.folders !== undefined) as Mount;
  const context = makeRealm();
  const hostCalls = guardCalls(
    context,
    makeHostCalls({ trees, readOutput, hashModules, loadFlake, loadLater, thrown: () => thrown }),
  );
  const image = question.bundled ? new EngineImage({ context, engine, hostCalls }) : undefined;
  if (image !== undefined) kept.image = image;
  const loader = new Loader({
    context,
    mounts,
    engine,
    stripped,
    stripTypes: lazily(() => makeStripTypes(question.engine)),
    image,
    hostCalls,
    refuseImport: (specifier) => agent.refuseImport(`${specifier}`),
  });
  const agent = (image?.agent ?? loadAgent(loader, engine)) as Agent;
  agent.begin();
  /** Before code of a flake runs: no flake can change a part of the engine under another one. */
  const hardenEngine = (): void => {
    for (const module of loader.takeFloors()) agent.harden(loader.run(module).namespace);
  };
  let flake: SourceTextModule;
  try {
    flake = loader.load(question.configFile);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    writeAll(1, "\n");
    return { kind: "error", error: error.report };
  }
  // Before any code of the flake has run, so that the floe process may rely on it in other evaluations.
  writeAll(1, `${stripped.fresh ? JSON.stringify(stripped.used) : ""}\n`);
  hardenEngine();
  let expression: SourceTextModule | undefined;
  try {
    if (question.expression !== undefined) expression = loader.loadExpression(question.expression);
  } catch (error) {
    if (!(error instanceof LoadError)) throw error;
    return { kind: "error", error: error.report };
  }
  const run = (): AgentAnswer => {
    let exported: unknown;
    let made: unknown;
    try {
      exported = exportOf(loader.run(flake));
      if (expression !== undefined) made = exportOf(loader.run(expression));
    } catch (error) {
      return read(() => agent.failed(error));
    }
    return read(() => agent.answer(exported, JSON.stringify(question.agent), made));
  };
  if (question.watchMs !== undefined) {
    const counts = (file: string): boolean => configurationFile(file, mounts) !== undefined;
    return watchedAnswer(watch({ context, milliseconds: question.watchMs, run, counts }), mounts);
  }
  kept.debug?.ready();
  const answer = run();
  if (broken !== undefined) throw broken.error;
  return answer;
}

/** The file that a script is, where it is one of configuration. */
function configurationFile(url: string, mounts: Mounts): string | undefined {
  const file = fileOfUrl(url);
  if (file === EXPRESSION_PLACE) return file;
  const mount = mounts.find(file);
  return mount === undefined || mount.folders !== undefined ? undefined : file;
}

/** The folder that all files lie in. */
function commonFolder(files: readonly string[]): string {
  const [first = [], ...others] = files.map((file) => file.split("/").slice(0, -1));
  let length = first.length;
  for (const folder of others) {
    const at = first.findIndex((part, i) => part !== folder[i]);
    if (at !== -1 && at < length) length = at;
  }
  return first.slice(0, length).join("/");
}

/** The agent from its sources, after what makes the realm the one of evaluations. */
function loadAgent(loader: Loader, engine: Mount): unknown {
  const inside = `${engine.path}/core/host/evaluator/inside`;
  loader.run(loader.load(`${inside}/prelude.ts`));
  return loader.run(loader.load(`${inside}/agent.ts`)).namespace;
}

/** Loaded when the first module has types to take away. */
function lazily(make: () => StripTypes): StripTypes {
  let made: StripTypes | undefined;
  return (text) => (made ??= make())(text);
}

/** @throws {SourceRefused} `source.not-text` */
function textOf(bytes: Buffer, path: string): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  throw new SourceRefused("source.not-text", `Cannot read "${path}": its bytes are not UTF-8, expected a text`);
}

/** A place found by watching, with the column where its line begins. */
function watchedAnswer(place: ReturnType<typeof watch>, mounts: Mounts): AgentAnswer {
  const error = { name: "CodedError", code: "evaluation.watched", message: "", stack: "" };
  if (place === undefined) return { kind: "error", error };
  const line =
    mounts.read(mounts.locate(place.file), MAX_MODULE_BYTES).toString("utf8").split("\n")[place.line - 1] ?? "";
  const column = Math.max(place.column, line.search(/\S/) + 1);
  return { kind: "error", error: { ...error, at: { ...place, column } } };
}

/**
 * What the agent says. It throws nothing; where the stack overflows in its own hands, what it threw is an object of the realm, which
 * nobody here looks at: showing it could call functions of the configuration.
 */
function read(ask: () => string): AgentAnswer {
  let text: string;
  try {
    text = ask();
  } catch {
    const message = "Cannot finish the evaluation: too many calls inside each other";
    return { kind: "error", error: { name: "CodedError", code: "evaluation.too-deep", message, stack: "" } };
  }
  return JSON.parse(text) as AgentAnswer;
}

/** Where `outputs` is written, roughly. */
function placeOfOutputs({ configFile }: EvaluatorQuestion, mounts: Mounts): NonNullable<EvaluatorAnswer["near"]> {
  try {
    const text = mounts.read(mounts.locate(configFile), MAX_MODULE_BYTES).toString("utf8");
    const before = text.slice(0, Math.max(0, text.search(/\boutputs\b/)));
    const lines = before.split("\n");
    return { file: configFile, line: lines.length, column: (lines.at(-1) as string).length + 1 };
  } catch {
    // It cannot be read, which is what the answer says.
    return { file: configFile, line: 1, column: 1 };
  }
}

function exportOf(module: Module): unknown {
  return (module.namespace as { default?: unknown }).default;
}

main();
// At once: what promises of the configuration wait for never happens, and so it cannot go on for ever.
process.exit(0);

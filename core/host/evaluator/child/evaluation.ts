import { isUtf8 } from "node:buffer";
import { existsSync, lstatSync, readdirSync } from "node:fs";
import { type Context, type Module, SourceTextModule, SyntheticModule } from "node:vm";
import { EXPRESSION_PLACE } from "../inside/expression-place.ts";
import { rootsOf } from "../mount-roots.ts";
import {
  type AgentAnswer,
  type ErrorReport,
  type EvaluatorAnswer,
  type EvaluatorQuestion,
  HIDDEN_NAMES,
  type ModuleTreeReport,
  type Mount,
  type StrippedChanges,
} from "../protocol.ts";
import { type KeptModules, questionKey } from "../read-module-cache.ts";
import { compileAhead, forgetAsUsual, keepLearnt } from "./compile-ahead.ts";
import { EngineImage } from "./engine-image.ts";
import { LoadError } from "./load-error.ts";
import { Loader, MAX_MODULE_BYTES } from "./loader.ts";
import type { StrippedModules } from "./module-code.ts";
import { Mounts, SourceRefused } from "./mounts.ts";
import { guardCalls, makeHostCalls, makeRealm } from "./realm.ts";
import { makeStripTypes, type StripTypes } from "./strip-types.ts";
import { Trees } from "./trees.ts";
import { fileOfUrl, watch } from "./watch.ts";

interface Agent {
  begin(): void;
  warmUp(): void;
  harden(exported: object): void;
  answer(exported: unknown, questionJson: string, expression: unknown): string;
  failed(error: unknown): string;
  refuseImport(specifier: string): never;
  readonly ownFunction: unknown;
}

export interface AnswerOptions {
  /** Called with JSON of {@link StrippedChanges}; empty when nothing is new. */
  readonly onModules: (json: string) => void;
  /** Called before code of the flake runs. */
  readonly onReady?: (() => void) | undefined;
}

/** One evaluation: a realm with the engine in it, and the question, which may be known only after the modules are loaded. */
export class Evaluation {
  #question: EvaluatorQuestion;
  #mounts: Mounts;
  #trees: Trees;
  readonly #stripped: StrippedModules;
  readonly #context: Context = makeRealm();
  readonly #image: EngineImage | undefined;
  readonly #stripTypes: StripTypes;
  readonly #loader: Loader;
  readonly #agent: Agent;
  readonly #hardened = new Set<Module>();
  /** What was loaded and threw itself. */
  #thrown: unknown;
  /** Whether something could not be had while code of the flake ran, which may have gone on without. */
  #hasMissed = false;
  /** A syntax error of an input: it ends the process, which shows the place as no caught error does. */
  #broken: { readonly error: unknown } | undefined;

  /** Places of modules that were loaded while code of the flake ran. */
  readonly #later = new Set<string>();
  /** By questions, those of earlier evaluations. */
  readonly #laterBefore: KeptModules["later"];

  /** @param kept Of earlier evaluations. */
  constructor(question: EvaluatorQuestion, { code, later }: KeptModules) {
    this.#question = question;
    this.#mounts = new Mounts(question.mounts);
    this.#trees = new Trees(this.#mounts);
    this.#stripped = { known: code, made: {} };
    this.#laterBefore = later;
    const context = this.#context;
    const engine = engineOf(question);
    const calls = makeHostCalls({
      trees: () => this.#trees,
      readOutput: (path, object) => this.#readOutput(path, object),
      hashModules: (file) => this.#hashModules(file),
      loadLater: (from, specifier) => this.#runNow(() => this.#loader.loadLater(from, specifier))?.namespace,
      loadFlake: (id) => this.#loadFlake(id),
      thrown: () => this.#thrown,
      onFailure: () => (this.#hasMissed = true),
    });
    const hostCalls = guardCalls(context, calls);
    this.#image = question.bundle === undefined ? undefined : new EngineImage({ context, engine, hostCalls });
    this.#stripTypes = lazily(() => makeStripTypes(question.engine));
    this.#loader = new Loader({
      context,
      mounts: this.#mounts,
      engine,
      stripped: this.#stripped,
      stripTypes: this.#stripTypes,
      image: this.#image,
      hostCalls,
      refuseImport: (specifier) => this.#agent.refuseImport(`${specifier}`),
      ownFunction: () => this.#agent.ownFunction,
    });
    this.#agent = (this.#image?.agent ?? loadAgent(this.#loader, engine)) as Agent;
    this.#agent.begin();
  }

  get mounts(): Mounts {
    return this.#mounts;
  }

  /** Do beforehand what can be done without running code of the flake. What fails will fail again once there is a question. */
  prepare(): void {
    keepLearnt();
    try {
      this.#stripTypes("const prepared: number = 1;");
      compileAhead(() => {
        this.#loader.load(this.#question.configFile);
        this.#loader.preload(this.#expected());
      });
    } catch {
      // A fault of the flake, and it may be gone by then.
    }
    // What comes from files is not run before it is known that they are still the same.
    this.#harden(this.#loader.takeFloors().filter((floor) => floor instanceof SyntheticModule));
  }

  /** Let the engine do some work of its own, so that what runs of it later is compiled for such work. None of it stays. */
  warmUp(): void {
    this.#agent.warmUp();
    this.#agent.begin();
  }

  /**
   * Take a question, and sources as they are now, in the place of those before.
   *
   * @returns whether what was prepared is what there would be if this had been the question from the beginning.
   */
  renew(question: EvaluatorQuestion): boolean {
    const placeOf = (asked: EvaluatorQuestion): string => JSON.stringify([asked.engine, asked.bundle, engineOf(asked)]);
    if (placeOf(question) !== placeOf(this.#question) || rootsOf(question.mounts) !== question.roots) return false;
    if (question.mounts.some(({ hostPath, folders }) => folders === undefined && isUncovered(hostPath))) return false;
    forgetAsUsual();
    this.#question = question;
    this.#mounts = new Mounts(question.mounts);
    this.#trees = new Trees(this.#mounts);
    this.#later.clear();
    this.#hasMissed = false;
    this.#loader.renew({ mounts: this.#mounts, engine: engineOf(question) });
    return true;
  }

  /** Load the flake, and say whether one of its modules is another than it was when it was loaded before. If none is, there is more to wait. */
  findsChange(): boolean {
    try {
      this.#loader.load(this.#question.configFile);
      this.#loader.preload(this.#expected());
    } catch {
      // It is told when the question is answered.
      return true;
    }
    if (!this.#loader.madeSome) keepLearnt();
    return this.#loader.madeSome;
  }

  /** @returns JSON of an `EvaluatorAnswer`; `undefined` where more was prepared than the question needs: such a realm is not the one of a fresh process. */
  answer({ onModules, onReady }: AnswerOptions): string | undefined {
    const answer = this.#answer(onModules, onReady);
    if (answer === undefined) return undefined;
    const rest: Omit<EvaluatorAnswer, "answer"> = {
      files: [...this.#mounts.reads.values()],
      trees: [...this.#trees.reads.values()],
      ways: this.#mounts.ways(),
      ...(answer.startsWith(ERROR_BEGIN) ? { near: placeOfOutputs(this.#question, this.#mounts) } : {}),
      ...(this.#hasMissed ? { missed: true } : {}),
      ...(isSameList([...this.#later], this.#expected()) ? {} : { later: [...this.#later] }),
    };
    // What the agent says may be long: it goes out as it is, and is checked by who asked.
    return `{"answer":${answer},${JSON.stringify(rest).slice(1)}`;
  }

  /** Whether the flake it was made for is still there. */
  canBeAsked(): boolean {
    try {
      return existsSync(this.#mounts.locate(this.#question.configFile).hostPath);
    } catch {
      return false;
    }
  }

  /** What of the engine's bundle was compiled until now. */
  compiledCode(): Buffer | undefined {
    return this.#image?.code();
  }

  #answer(onModules: AnswerOptions["onModules"], onReady: AnswerOptions["onReady"]): string | undefined {
    const question = this.#question;
    const prepared = [...this.#hardened];
    const loader = this.#loader;
    let flake: SourceTextModule;
    try {
      flake = loader.load(question.configFile);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      onModules("");
      return errorAnswer(error.report);
    }
    const floors = loader.takeFloors();
    this.#harden(floors);
    if (!prepared.every((floor) => floors.includes(floor))) return undefined;
    loader.preload(this.#expected());
    // Before any code of the flake has run, so that the floe process may rely on it in other evaluations.
    const changes = changesOf(this.#stripped, this.#mounts);
    onModules(changes === undefined ? "" : JSON.stringify(changes));
    let expression: SourceTextModule | undefined;
    try {
      if (question.expression !== undefined) expression = loader.loadExpression(question.expression);
    } catch (error) {
      if (!(error instanceof LoadError)) throw error;
      return errorAnswer(error.report);
    }
    const run = (): string => {
      let exported: unknown;
      let made: unknown;
      try {
        exported = exportOf(loader.run(flake));
        if (expression !== undefined) made = exportOf(loader.run(expression));
      } catch (error) {
        return read(() => this.#agent.failed(error));
      }
      return read(() => this.#agent.answer(exported, JSON.stringify(question.agent), made));
    };
    if (question.watchMs !== undefined) {
      const counts = (file: string): boolean => configurationFile(file, this.#mounts) !== undefined;
      const watched = watch({ context: this.#context, milliseconds: question.watchMs, run, counts });
      return watchedAnswer(watched, this.#mounts);
    }
    onReady?.();
    const answer = run();
    if (this.#broken === undefined) return answer;
    const { error } = this.#broken;
    if ((error as Error).name === "RangeError") return tooDeepAnswer();
    throw error;
  }

  /** Places of modules that will most likely be loaded while code of the flake runs: those of the time before. */
  #expected(): readonly string[] {
    return this.#laterBefore[questionKey(this.#question.agent)] ?? [];
  }

  /** Before code of a flake runs: no flake can change a part of the engine under another one. */
  #harden(floors: readonly Module[]): void {
    for (const floor of floors) {
      if (this.#hardened.has(floor)) continue;
      this.#agent.harden(this.#loader.run(floor).namespace);
      this.#hardened.add(floor);
    }
  }

  /** The default export of an input's flake. */
  #loadFlake(id: string): unknown {
    const module = this.#runNow(() => this.#loader.load(this.#question.agent.nodes[id]?.configFile as string));
    return module === undefined ? undefined : exportOf(module);
  }

  /** What it throws itself is kept aside. */
  #runNow(load: () => SourceTextModule): Module | undefined {
    let module: SourceTextModule;
    try {
      module = load();
      // What the engine makes lies in no file.
      if (module instanceof SourceTextModule) this.#later.add(module.identifier);
      this.#harden(this.#loader.takeFloors());
    } catch (error) {
      if (!(error instanceof LoadError)) this.#broken = { error };
      throw error;
    }
    try {
      return this.#loader.run(module);
    } catch (error) {
      this.#thrown = error;
      return undefined;
    }
  }

  /** A module with all that it imports, as sources. */
  #hashModules(file: string): ModuleTreeReport {
    const { files, others } = this.#loader.filesOf(file);
    const root = commonFolder(files);
    const list = files.map((each) => each.slice(root.length + 1));
    const { narHash, files: kept } = this.#trees.hashFiles(root, list);
    return { root, files: kept, narHash, others };
  }

  #readOutput(path: string, object: string): string | null {
    if (this.#question.built?.includes(object) !== true) return null;
    return textOf(this.#mounts.read(this.#mounts.locate(path), MAX_MODULE_BYTES), path);
  }
}

/** The file that a script is, where it is one of configuration. */
export function configurationFile(url: string, mounts: Mounts): string | undefined {
  const file = fileOfUrl(url);
  if (file === EXPRESSION_PLACE) return file;
  const mount = mounts.find(file);
  return mount === undefined || mount.folders !== undefined ? undefined : file;
}

/** What there is to remember; `undefined` where nothing was stripped. */
function changesOf({ known, made }: StrippedModules, mounts: Mounts): StrippedChanges | undefined {
  if (Object.keys(made).length === 0) return undefined;
  return { add: made, drop: Object.keys(known).filter((path) => !mounts.has(path)) };
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, i) => each === b[i]);
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

function engineOf({ mounts }: EvaluatorQuestion): Mount {
  return mounts.find((mount) => mount.folders !== undefined) as Mount;
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
function watchedAnswer(place: ReturnType<typeof watch>, mounts: Mounts): string {
  const error = { name: "CodedError", code: "evaluation.watched", message: "", stack: "" };
  if (place === undefined) return errorAnswer(error);
  const line =
    mounts.read(mounts.locate(place.file), MAX_MODULE_BYTES).toString("utf8").split("\n")[place.line - 1] ?? "";
  const column = Math.max(place.column, line.search(/\S/) + 1);
  return errorAnswer({ ...error, at: { ...place, column } });
}

/** What the JSON of an answer begins with that is an error. */
const ERROR_BEGIN = '{"kind":"error",';

function errorAnswer(error: ErrorReport): string {
  return JSON.stringify({ kind: "error", error } satisfies AgentAnswer);
}

/**
 * What the agent says, as JSON. It throws nothing; where the stack overflows in its own hands, what it threw is an object of the realm,
 * which nobody here looks at: showing it could call functions of the configuration.
 */
function read(ask: () => string): string {
  try {
    return ask();
  } catch {
    return tooDeepAnswer();
  }
}

function tooDeepAnswer(): string {
  const message = "Cannot finish the evaluation: too many calls inside each other";
  return errorAnswer({ name: "CodedError", code: "evaluation.too-deep", message, stack: "" });
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

/**
 * Whether a folder shows what the sandbox had covered. A cover lies on what had the name when the process began: where that is removed, and
 * something else made in its place, it is seen.
 */
function isUncovered(folder: string): boolean {
  return HIDDEN_NAMES.some((name) => {
    const path = `${folder}/${name}`;
    try {
      const stat = lstatSync(path);
      return stat.isFile() ? stat.size > 0 : stat.isDirectory() && readdirSync(path).length > 0;
    } catch {
      // Nothing there, or a source that is a single file.
      return false;
    }
  });
}

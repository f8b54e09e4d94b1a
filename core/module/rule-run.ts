import { CodedError, type Diagnostic, callerLocation, captureCaller } from "../base/index.ts";
import { type Definition, type DefinitionOrigin, diagnose, makeDefinition } from "./definition.ts";
import type { Module, RuleContext } from "./module.ts";
import { type GroupNode, type OptionNode, type Receiver, takeApart } from "./option-tree.ts";
import { type ReadOption, makeTrackedConfig } from "./tracked-config.ts";
import { type UnknownOption, UnknownOptionRead } from "./unknown-option.ts";
import { sameValue } from "./value.ts";

/** How the last run of a rule ended. */
export type Outcome =
  | { readonly kind: "done" }
  /** It read an option that has no value yet; what it defined before that counts. */
  | { readonly kind: "suspended"; readonly on: OptionNode }
  | { readonly kind: "failed"; readonly error: unknown };

const DONE: Outcome = { kind: "done" };

/** What one run of a rule read and gave. */
export interface RuleRun {
  readonly outcome: Outcome;
  readonly reads: ReadonlySet<OptionNode>;
  readonly definitions: ReadonlyMap<OptionNode, readonly Definition[]>;
  readonly diagnostics: readonly Diagnostic[];
  readonly warnings: readonly Diagnostic[];
}

/** Thrown through a rule to leave it; never shown to anybody. */
class Suspension {
  readonly on: OptionNode;

  constructor(on: OptionNode) {
    this.on = on;
  }
}

/** The value of an option at this moment of the evaluation. */
export type OptionState =
  | { readonly kind: "value"; readonly value: unknown; readonly warnings?: readonly Diagnostic[] }
  | { readonly kind: "none" }
  | { readonly kind: "faulty"; readonly diagnostics: readonly Diagnostic[] };

/** Runs rules against the present state of all options, recording what each of them reads and defines. */
export class RuleRunner {
  readonly #root: GroupNode;
  readonly #config: object;
  readonly #moduleArguments: object;
  /** What each module sees as its own options. */
  readonly #own = new Map<Module, unknown>();
  #reads: Set<OptionNode> | undefined;

  constructor(root: GroupNode, state: (option: OptionNode) => OptionState, moduleArguments: object) {
    this.#root = root;
    this.#moduleArguments = moduleArguments;
    const read: ReadOption = (option) => {
      if (this.#reads === undefined) throw lateRead(option);
      this.#reads.add(option);
      const found = state(option);
      if (found.kind === "value") return found.value;
      throw new Suspension(option);
    };
    this.#config = makeTrackedConfig(root, read);
  }

  /** Run a module's rule once. Never throws: what goes wrong is part of the outcome. */
  run(module: Module, places: Places): RuleRun {
    const record = new RunRecord(this.#root, module, places === "at-rest" ? this.#findPlaces(module) : places);
    const reads = new Set<OptionNode>();
    const outcome = this.#record(module, record, reads);
    const { definitions, diagnostics, warnings } = record;
    return { outcome, reads, definitions, diagnostics, warnings };
  }

  /** Where each `define` of a rule stands: worked out together, by a run of its own, when somebody asks for the first one. */
  #findPlaces(module: Module): FindPlace {
    let found: readonly FindPlace[] | undefined;
    return (index) => {
      if (found === undefined) {
        const record = new RunRecord(this.#root, module, "all");
        this.#record(module, record, new Set());
        found = record.places;
      }
      return found[index]?.(index);
    };
  }

  #record(module: Module, record: RunRecord, reads: Set<OptionNode>): Outcome {
    const before = this.#reads;
    this.#reads = reads;
    const outcome = this.#outcomeOf(module, record);
    this.#reads = before;
    return outcome;
  }

  #outcomeOf(module: Module, record: RunRecord): Outcome {
    try {
      const context = {
        ...this.#moduleArguments,
        cfg: this.#ownOptions(module),
        config: this.#config,
        define: record.define,
        check: record.check,
        warn: record.warn,
      };
      const returned: unknown = module.rule?.(context as unknown as RuleContext);
      return typeof returned === "object" && returned !== null
        ? { kind: "failed", error: returnedSomething(module, returned) }
        : DONE;
    } catch (error) {
      return error instanceof Suspension ? { kind: "suspended", on: error.on } : { kind: "failed", error };
    }
  }

  #ownOptions(module: Module): unknown {
    let group = this.#own.get(module);
    if (group !== undefined) return group;
    group = this.#config;
    for (const name of module.declaration?.path ?? []) group = (group as Record<string, unknown>)[name];
    this.#own.set(module, group);
    return group;
  }
}

/** A read outside of a rule would not make anything run again when the option changes. */
function lateRead({ path }: OptionNode): CodedError {
  return new CodedError(
    "module.late-read",
    `Cannot read option "${path}": found a read after the rule has ended, expected it while the rule runs`,
    {
      at: callerLocation(),
      hint: "Copy what you define from the configuration, option by option: define({ … : { port: config.services.web.port } }).",
    },
  );
}

/** The type of a rule lets it return anything, so a forgotten `define` and an `async` would pass in silence. */
function returnedSomething(module: Module, returned: object): CodedError {
  const promise = returned as { readonly then?: unknown };
  const isAsync = typeof promise.then === "function";
  // What becomes of the promise matters to nobody any more.
  if (isAsync) void Promise.resolve(promise).catch(() => {});
  return new CodedError(
    "module.rule-returned",
    `Cannot run the rule of module "${module.key}": found that it returns ${isAsync ? "a promise" : "a value"}, expected it to define(…) and return nothing`,
    {
      hint: isAsync ? "A rule cannot wait: write it without async." : "Write define({ … }) in place of return { … }.",
      at: module.at,
    },
  );
}

/** Works out where the define call of a number, counted from 0, stands. */
type FindPlace = (index: number) => Definition["at"];

/**
 * Whose places a run knows: `none` takes that of the module for each, which costs nothing; `all` writes each down; `at-rest` does so
 * for all but definitions, whose places another run finds later, as long as the configuration stays what it is.
 */
export type Places = "none" | "all" | "at-rest";

/** Collects what a rule says while it runs. */
export class RunRecord implements Receiver {
  readonly root: GroupNode;
  readonly module: Module;
  readonly definitions = new Map<OptionNode, Definition[]>();
  readonly diagnostics: Diagnostic[] = [];
  readonly warnings: Diagnostic[] = [];
  /** Of each define call so far, when it was written down. */
  readonly places: FindPlace[] = [];
  readonly #places: "none" | "all" | FindPlace;
  #index = 0;

  constructor(root: GroupNode, module: Module, places: "none" | "all" | FindPlace = "all") {
    this.root = root;
    this.module = module;
    this.#places = places;
  }

  readonly define = (value: unknown): void => {
    if (this.#places === "all") this.places.push(captureCaller(this.define));
    this.add(value);
  };

  readonly check = (holds: boolean, message: string, hint?: string): void => {
    if (holds) return;
    this.diagnostics.push(
      diagnose(
        "module.assertion",
        message,
        this.#placeOf(this.check),
        hint ?? "Change what the configuration says until this holds.",
      ),
    );
  };

  readonly warn = (message: string): void => {
    this.warnings.push(diagnose("module.warning", message, this.#placeOf(this.warn)));
  };

  /** Add a definition of the whole configuration. */
  add(value: unknown): void {
    const origin = new Said(this, this.#index);
    this.#index += 1;
    takeApart(this.root, makeDefinition(value, origin), this);
  }

  take(node: OptionNode, definition: Definition): void {
    const list = this.definitions.get(node);
    if (list === undefined) this.definitions.set(node, [definition]);
    else list.push(definition);
  }

  report(diagnostic: Diagnostic): void {
    this.diagnostics.push(diagnostic);
  }

  reportWarning(diagnostic: Diagnostic): void {
    this.warnings.push(diagnostic);
  }

  /** Where the definition of a number stands; that of the module where nothing better is known. */
  placeOf(index: number): Definition["at"] {
    const find = typeof this.#places === "function" ? this.#places : this.places[index];
    return find?.(index) ?? this.module.at;
  }

  #placeOf(call: Function): Definition["at"] {
    return (this.#places === "none" ? undefined : callerLocation(call)) ?? this.module.at;
  }
}

/** One definition that a rule or a literal says. */
class Said implements DefinitionOrigin {
  readonly index: number;
  readonly #record: RunRecord;

  constructor(record: RunRecord, index: number) {
    this.#record = record;
    this.index = index;
  }

  get module(): string {
    return this.#record.module.key;
  }

  place(): Definition["at"] {
    return this.#record.placeOf(this.index);
  }
}

/** Whether two runs of one rule gave the same definitions and ended in the same way. */
export function sameRun(a: RuleRun, b: RuleRun): boolean {
  if (a.outcome.kind !== b.outcome.kind || a.definitions.size !== b.definitions.size) return false;
  let isSame = true;
  a.definitions.forEach((list, node) => {
    isSame &&= sameDefinitions(list, b.definitions.get(node));
  });
  return isSame;
}

/** Whether two lists of definitions by one rule merge to the same. */
export function sameDefinitions(a: readonly Definition[], b: readonly Definition[] | undefined): boolean {
  return b?.length === a.length && a.every((definition, index) => sameDefinition(definition, b[index]));
}

function sameDefinition(a: Definition, b: Definition | undefined): boolean {
  return b !== undefined && a.priority === b.priority && a.order === b.order && sameValue(a.value, b.value);
}

/** What to tell about a rule that threw: its own coded error as it is, any other with the module's name. */
export function ruleFailure(module: Module, error: unknown): Diagnostic {
  if (error instanceof CodedError) {
    const told = diagnose(error.code, error.message, error.at ?? module.at, error.hint);
    if (!(error instanceof UnknownOptionRead)) return told;
    const unknown: UnknownOption = { ...told, option: error.option };
    return unknown;
  }
  return diagnose(
    "module.rule-failed",
    `Cannot run the rule of module "${module.key}": ${error instanceof Error ? error.message : String(error)}`,
    (error instanceof Error ? placeInStack(error) : undefined) ?? module.at,
    "The rule throws this at the place shown; console.log(…) there prints the values on the way.",
  );
}

/** The first frame of an error's stack with a file of its own: where the rule broke. */
function placeInStack(error: Error): Definition["at"] {
  for (const line of (error.stack ?? "").split("\n").slice(1)) {
    const match = /(?:file:\/\/)?(\/[^():]+):(\d+):(\d+)\)?$/.exec(line);
    if (match !== null) return { file: match[1] as string, line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}

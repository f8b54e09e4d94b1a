import { CodedError } from "../base/index.ts";
import { type Cell, Cells, type Source } from "./cell.ts";
import { type Component, componentsOf, levelsOf } from "./circles.ts";
import { type Change, describeCycle } from "./cycle.ts";
import { showPlace } from "./definition.ts";
import { DueRules } from "./due-rules.ts";
import type { Module } from "./module.ts";
import type { GroupNode, OptionNode } from "./option-tree.ts";
import { type OptionState, type RuleRun, RuleRunner, sameDefinitions, sameRun } from "./rule-run.ts";

/** What the fixpoint gives: each option with its state, and how each rule ended. */
export interface Settled {
  readonly cells: Cells;
  /** Those that are something else than a value without warnings, in the order of their names. */
  readonly notable: readonly Cell[];
  readonly sources: readonly Source[];
}

/**
 * Run rules until nothing changes: the least fixpoint from the declared defaults.
 *
 * Rounds are synchronous: all rules of a round see the same configuration, and only then are their definitions merged.
 * Which rules run in a round follows from who reads what whom defines. So the sequence of configurations, and with
 * it the result, cannot depend on the order of modules, even for rules that take back what they defined.
 *
 * @param modules In canonical order, which is that of faults and warnings.
 * @param literals Definitions without a rule, with their runs already made.
 * @param given What rules receive besides the configuration.
 * @throws {CodedError} `module.unsettled` when options and rules feed each other without end;
 *   `module.unstable` when a rule gives something else for the same configuration.
 */
export function settle(
  root: GroupNode,
  modules: readonly Module[],
  literals: readonly Source[],
  given: object,
): Settled {
  const fixpoint = new Fixpoint(root, modules, literals, given);
  fixpoint.settle();
  const { cells, sources } = fixpoint;
  const notable = cells.notable();
  // What is wrong with an option was found while nobody knew places yet.
  for (const cell of notable) cell.findPlaces();
  return { cells, notable, sources };
}

const NOT_RUN: RuleRun = {
  outcome: { kind: "done" },
  reads: new Set(),
  definitions: new Map(),
  diagnostics: [],
  warnings: [],
};

class Fixpoint {
  readonly cells: Cells;
  readonly sources: readonly Source[];
  readonly #rules: readonly Source[];
  readonly #runner: RuleRunner;
  /** Which rules feed each other; `undefined` once a rule reads or defines something else. */
  #components: readonly Component[] | undefined;
  /** Which rules run before which, by what they have read and defined so far. */
  #levels: ReadonlyMap<Source, number> = new Map();
  /** The level that ran last. */
  #reached = Number.POSITIVE_INFINITY;
  /** Whether a rule has read or defined something more than before since the levels were worked out. */
  #isNewGraph = true;
  /** How often rules began again because they went in a circle. */
  #beginnings = 0;

  constructor(root: GroupNode, modules: readonly Module[], literals: readonly Source[], given: object) {
    this.cells = new Cells(root);
    this.#rules = modules.filter((module) => module.rule !== undefined).map((module) => ({ module, run: NOT_RUN }));
    this.sources = [...literals, ...this.#rules];
    this.#runner = new RuleRunner(root, (node) => this.cells.of(node).state, given);
    for (const literal of literals) {
      for (const [node, list] of literal.run.definitions) this.cells.of(node).define(literal, list);
    }
  }

  /** Rounds until rest, then the checks of what came to rest, with more rounds when one of them finds something. */
  settle(): void {
    this.#runRounds(this.#rules);
    for (let time = 0; time <= MOST_BEGINNINGS; time += 1) {
      const checked = new Set<Source>();
      const due = this.#restartCircles(checked);
      if (due === undefined) {
        for (const source of this.#rules) if (!checked.has(source)) this.#checkStable(source);
        return;
      }
      this.#runRounds(due);
    }
    throw describeCycle(
      this.#rules.map((source) => ({ source, run: source.run, changed: new Set(source.run.definitions.keys()) })),
    );
  }

  /**
   * Run rules, and then those that read what changed, until nothing changes. They need not say where they stand:
   * each runs once more at rest, and before a circle is told.
   *
   * Rules that go on without end begin again from nothing once the others are at rest: a moment that has passed may
   * still go round among them. Only those that then go on again are a circle.
   */
  #runRounds(first: Iterable<Source>, { only, before }: RoundsOptions = {}): void {
    // A change travels at least one option per round, so many more rounds than this only happen in a circle.
    let enough = 64 + 4 * (only?.size ?? this.#rules.length);
    let told = enough + 8;
    let history: Change[] = [];
    let due = new DueRules(first, this.#levels);
    let mark = markAt(0, due);
    for (let round = 0; due.all.size > 0; round += 1) {
      if (round > told) {
        const circle = new Set(history.map(({ source }) => source));
        if (only !== undefined || this.#beginnings >= MOST_BEGINNINGS) throw describeCycle(history);
        this.#beginnings += 1;
        const moved = this.#beginAgain(circle);
        due = new DueRules(
          readersOf(moved).filter((reader) => !circle.has(reader)),
          this.#levels,
        );
        history = [];
        enough = 64 + 4 * this.#rules.length;
        told = enough + 8;
        mark = markAt(0, due);
        round = -1;
        continue;
      }
      const places = round > enough;
      const now = only === undefined && round > 0 ? this.#takeLowest(due) : due.takeAll();
      const runs = now.map((source) => ({ source, run: this.#runner.run(source.module, places ? "all" : "none") }));
      const touched = new Set<Cell>();
      for (const { source, run } of runs) this.#take(source, run, touched);
      const changed = this.#update(touched, before, mark.states);
      if (places) {
        const nodes = new Set([...changed].map(({ node }) => node));
        for (const { source, run } of runs) history.push({ source, run, changed: nodes });
      }
      for (const reader of readersOf(changed)) if (only?.has(reader) ?? true) due.add(reader);
      if (!places && isBackAt(mark, due)) {
        // What follows is what has been since the mark, without end: once round is all there is to see.
        enough = round;
        told = round + Math.max(8, round - mark.round + 2);
      } else if (round >= 2 * mark.round + 2) {
        mark = markAt(round, due);
      }
    }
  }

  /** The rules to run next; the others may read what these define. */
  #takeLowest(due: DueRules): Source[] {
    if (due.lowest < this.#reached && this.#isNewGraph) {
      this.#levels = levelsOf(this.#currentComponents());
      this.#isNewGraph = false;
      due.sortBy(this.#levels);
    }
    this.#reached = due.lowest;
    return due.takeLowest();
  }

  #currentComponents(): readonly Component[] {
    this.#components ??= componentsOf(this.#rules, this.cells);
    return this.#components;
  }

  /** Merge options anew. @returns Those that are something else now. */
  #update(
    touched: ReadonlySet<Cell> | readonly Cell[],
    ...before: readonly (Map<Cell, OptionState> | undefined)[]
  ): Cell[] {
    const changed: Cell[] = [];
    touched.forEach((cell) => {
      for (const states of before) if (states?.has(cell) === false) states.set(cell, cell.state);
      if (cell.update()) changed.push(cell);
    });
    return changed;
  }

  /** Let a run take the place of the last one of its rule. */
  #take(source: Source, run: RuleRun, touched: Set<Cell>): void {
    const last = source.run;
    source.run = run;
    if (!sameMembers(last.reads, run.reads)) this.#takeReads(source, last.reads, run.reads);
    last.definitions.forEach((_, node) => {
      if (run.definitions.has(node)) return;
      const cell = this.cells.of(node);
      cell.withdraw(source);
      touched.add(cell);
      this.#components = undefined;
    });
    run.definitions.forEach((list, node) => {
      const before = last.definitions.get(node);
      if (before === undefined) this.#haveNewEdge();
      // What says the same as before stays the very same, so that merging can tell at a glance.
      else if (sameDefinitions(list, before)) return;
      const cell = this.cells.of(node);
      cell.define(source, list);
      touched.add(cell);
    });
  }

  #takeReads(source: Source, last: ReadonlySet<OptionNode>, now: ReadonlySet<OptionNode>): void {
    last.forEach((node) => {
      if (now.has(node)) return;
      this.cells.of(node).removeReader(source);
      this.#components = undefined;
    });
    now.forEach((node) => {
      if (last.has(node)) return;
      this.cells.of(node).addReader(source);
      this.#haveNewEdge();
    });
  }

  #haveNewEdge(): void {
    this.#components = undefined;
    this.#isNewGraph = true;
  }

  /**
   * Let rules that feed each other begin again from nothing, while all others stay as they are.
   *
   * What a passing moment has started may hold itself up after that moment: a rule that defines an option because
   * the option is set. Such a thing does not come again, so it is not part of the least fixpoint.
   *
   * @param checked Receives rules that gave the same once more.
   * @returns `undefined` when all came again; else the rules to run next.
   */
  #restartCircles(checked: Set<Source>): Iterable<Source> | undefined {
    for (const { rules: circle, isCircle } of this.#currentComponents()) {
      if (!isCircle) continue;
      const [single] = circle;
      if (single !== undefined && circle.length === 1 && this.#comesAgain(single)) {
        checked.add(single);
        continue;
      }
      const moved = this.#beginAgain(new Set(circle));
      if (moved.length > 0) return readersOf(moved);
    }
    return undefined;
  }

  /**
   * Let rules give everything back and run until rest, while all others stay as they are.
   *
   * @returns Options that are something else afterwards.
   */
  #beginAgain(rules: ReadonlySet<Source>): Cell[] {
    const before = new Map<Cell, OptionState>();
    const withdrawn = new Set<Cell>();
    for (const source of rules) this.#take(source, NOT_RUN, withdrawn);
    this.#update(withdrawn, before);
    this.#runRounds(rules, { only: rules, before });
    return [...before].filter(([cell, state]) => !cell.isLike(state)).map(([cell]) => cell);
  }

  /** Whether a rule that reads what it defines also defines it when it is not there yet. */
  #comesAgain(source: Source): boolean {
    const own = [...source.run.definitions].filter(([node]) => source.run.reads.has(node));
    const cells = own.map(([node]) => this.cells.of(node));
    for (const cell of cells) cell.withdraw(source);
    this.#update(cells);
    const again = this.#runner.run(source.module, "all");
    for (const [node, list] of own) this.cells.of(node).define(source, list);
    this.#update(cells);
    if (!sameRun(source.run, again)) return false;
    this.#adopt(source, { ...again, reads: source.run.reads });
    return true;
  }

  /** A rule that has a memory or a dice of its own cannot be at rest. */
  #checkStable(source: Source): void {
    const { module, run } = source;
    const again = this.#runner.run(module, "at-rest");
    if (sameRun(run, again)) return this.#adopt(source, again);
    throw new CodedError(
      "module.unstable",
      `Cannot settle module "${module.key}": found that its rule gives something else for the same configuration, expected it to depend on nothing but that`,
      {
        hint: `Look for a counter, a cache or a random value in the rule at ${showPlace(module.at)}.`,
        at: module.at,
      },
    );
  }

  /** Take over a run that gave the same as the last one, for the places it knows. */
  #adopt(source: Source, run: RuleRun): void {
    source.run = run;
    run.definitions.forEach((list, node) => this.cells.of(node).define(source, list));
  }
}

interface RoundsOptions {
  /** Rules outside of these stay as they are. Default: all may run. */
  readonly only?: ReadonlySet<Source>;
  /** Receives what options were before the rounds, for those that were merged anew. */
  readonly before?: Map<Cell, OptionState>;
}

/** A moment of an evaluation to come back to. */
interface Mark {
  readonly round: number;
  readonly due: ReadonlySet<Source>;
  /** What options were then, of those that were merged since. */
  readonly states: Map<Cell, OptionState>;
}

function markAt(round: number, due: DueRules): Mark {
  return { round, due: new Set(due.all), states: new Map() };
}

/**
 * Whether everything is as it was at a mark. What options are and which rules are due decides all that follows, since a
 * rule that is not due has seen them as they are.
 *
 * Source: R. P. Brent, "An improved Monte Carlo factorization algorithm" (1980): marks at growing distances find a circle
 * of any length with one comparison per round.
 */
function isBackAt({ due, states }: Mark, { all: now }: DueRules): boolean {
  if (!sameMembers(now, due)) return false;
  return states.size > 0 && states.entries().every(([cell, state]) => cell.isLike(state));
}

function sameMembers<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
  return a.size === b.size && a.isSubsetOf(b);
}

function readersOf(cells: Iterable<Cell>): Source[] {
  const readers: Source[] = [];
  for (const { readers: own } of cells) readers.push(...own);
  return readers;
}

/** How often rules may have to begin again because of what other rules that began again gave. */
const MOST_BEGINNINGS = 64;

import { closureOf, notValid, type PathInfo, type StorePath } from "../../store/index.ts";
import type { ObjectQueries } from "./queries.ts";
import type { WholeStore } from "./whole-store.ts";

/** Asking for the references of one object takes as long as reading so many rows of all; a closure of this many is worth a look at that. */
const ROWS_PER_QUESTION = 32;
const MANY_QUESTIONS = 200;

/** It pays to begin anew with all of the store. */
class TooManyQuestions extends Error {}

/** What is asked. */
export interface ClosureSource {
  readonly queries: ObjectQueries;
  /** Reads all of the store; it costs as much as {@link rows} questions about one row. `undefined` where all is not in one place. */
  readonly whole: { readonly rows: () => number; readonly read: (facts: boolean) => WholeStore } | undefined;
  /** Facts of what is registered and not yet in the database; `undefined` when that is nothing. */
  readonly waiting: ReadonlyMap<StorePath, PathInfo> | undefined;
}

/** Answers for the references of one object after the other; when they become many, all of the store is read at once. */
export function referencesOfMany(source: ClosureSource): (path: StorePath) => readonly StorePath[] {
  let left = manyQuestions(source);
  let whole: WholeStore | undefined;
  return (path) => {
    if (--left < 0) whole ??= source.whole?.read(false);
    return source.waiting?.get(path)?.references ?? whole?.references(path) ?? askReferences(source, path);
  };
}

/**
 * For closures of several groups of objects: facts of all they hold. The order is that of `closureOf`.
 *
 * @throws {CodedError} `store.not-valid`, `store.reference-cycle`
 */
export function closuresWithInfos(source: ClosureSource, groups: readonly (readonly StorePath[])[]): PathInfo[][] {
  // What waits is not in the database, so all that is there would not be all.
  let left = source.waiting === undefined ? manyQuestions(source) : Number.POSITIVE_INFINITY;
  const references = (path: StorePath): readonly StorePath[] => {
    if (--left < 0) throw new TooManyQuestions();
    return askReferences(source, path);
  };
  let closures: StorePath[][];
  try {
    closures = groups.map((group) => closureOf(group, references));
  } catch (error) {
    if (!(error instanceof TooManyQuestions) || source.whole === undefined) throw error;
    const whole = source.whole.read(true);
    return groups.map((group) => whole.closure(group).map((number) => whole.info(number)));
  }
  return closures.map((closure) =>
    closure.map((path) => {
      const info = source.waiting?.get(path) ?? source.queries.pathInfo(path);
      if (info === undefined) throw notValid(path);
      return info;
    }),
  );
}

/** How many objects are asked for one by one before all of the store is read. */
function manyQuestions({ whole }: ClosureSource): number {
  if (whole === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(MANY_QUESTIONS, whole.rows() / ROWS_PER_QUESTION);
}

/** @throws {CodedError} `store.not-valid` */
function askReferences({ queries, waiting }: ClosureSource, path: StorePath): readonly StorePath[] {
  const references = waiting?.get(path)?.references ?? queries.references(path);
  if (references === undefined) throw notValid(path);
  return references;
}

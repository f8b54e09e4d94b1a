import { CodedError } from "../../base/index.ts";
import { notValid, type PathInfo, type StorePath } from "../../store/index.ts";
import type { StoreDatabase } from "./database.ts";
import { type InfoRow, pathInfoOf } from "./queries.ts";

const FACTS = ["hash", "registrationTime", "deriver", "narSize", "ultimate", "sigs", "ca"] as const;

type Facts = Readonly<Record<(typeof FACTS)[number], readonly unknown[]>>;

/** Objects that are referred to, of all objects one behind the other. */
interface Edges {
  /** Where those of each object begin, and at last where the list ends. */
  readonly starts: Uint32Array;
  /** Ascending for each object. */
  readonly targets: Uint32Array;
}

/**
 * All objects of a store as of one moment, numbered in the order of their paths: what concerns thousands of them is answered
 * in memory, where a question to the database for each takes ten times as long.
 */
export class WholeStore {
  /** Sorted. */
  readonly paths: readonly StorePath[];
  readonly #edges: Edges;
  readonly #facts: Facts | undefined;
  #numbers: Map<StorePath, number> | undefined;

  constructor(paths: readonly StorePath[], edges: Edges, facts: Facts | undefined) {
    this.paths = paths;
    this.#edges = edges;
    this.#facts = facts;
  }

  /** Sorted; `undefined` for what is not valid. */
  references(path: StorePath): StorePath[] | undefined {
    const number = this.#numberOf(path);
    return number === undefined ? undefined : this.#referencesOf(number);
  }

  /** Facts of the object with a number; the store was read with them. */
  info(number: number): PathInfo {
    const facts = this.#facts as Facts;
    const path = this.paths[number] as StorePath;
    const row = Object.fromEntries(FACTS.map((name) => [name, facts[name][number]]));
    return pathInfoOf(path, row as unknown as InfoRow, this.#referencesOf(number));
  }

  /**
   * Numbers of everything reachable from some objects, in the order of `closureOf`.
   *
   * @throws {CodedError} `store.not-valid`, `store.reference-cycle`
   */
  closure(paths: Iterable<StorePath>): number[] {
    const { starts, targets } = this.#edges;
    const order: number[] = [];
    const OPEN = 1;
    const DONE = 2;
    const state = new Uint8Array(this.paths.length);
    /** Of each open object, the edge that is followed next. */
    const next = new Uint32Array(this.paths.length);
    const stack: number[] = [];
    const enter = (number: number): void => {
      state[number] = OPEN;
      next[number] = starts[number] as number;
      stack.push(number);
    };
    const asked = [...paths].map((path) => {
      const number = this.#numberOf(path);
      if (number === undefined) throw notValid(path);
      return number;
    });
    for (const start of asked.sort((a, b) => a - b)) {
      if (state[start] === 0) enter(start);
      for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
        const edge = next[top] as number;
        if (edge === starts[top + 1]) {
          state[top] = DONE;
          order.push(top);
          stack.pop();
          continue;
        }
        next[top] = edge + 1;
        const target = targets[edge] as number;
        if (state[target] === 0) enter(target);
        else if (state[target] === OPEN && target !== top) throw this.#cycle(top, target);
      }
    }
    return order;
  }

  #referencesOf(number: number): StorePath[] {
    const { starts, targets } = this.#edges;
    const references: StorePath[] = [];
    const end = starts[number + 1] as number;
    for (let edge = starts[number] as number; edge < end; edge++)
      references.push(this.paths[targets[edge] as number] as StorePath);
    return references;
  }

  #numberOf(path: StorePath): number | undefined {
    this.#numbers ??= new Map(this.paths.map((each, number) => [each, number]));
    return this.#numbers.get(path);
  }

  #cycle(from: number, to: number): CodedError {
    return new CodedError(
      "store.reference-cycle",
      `Cannot order the store objects: "${this.paths[from]}" and "${this.paths[to]}" refer to each other`,
    );
  }
}

/** Read all objects, `withFacts` also what {@link WholeStore.info} gives. */
export function readWholeStore(database: StoreDatabase, { withFacts }: { readonly withFacts: boolean }): WholeStore {
  return database.reading(() => {
    const names = ["id", "path", ...(withFacts ? FACTS : [])];
    const [ids, paths, ...facts] = database.columns("(select * from ValidPaths order by path)", names) as [
      number[],
      StorePath[],
      ...unknown[][],
    ];
    const [referrers, references] = database.columns("Refs", ["referrer", "reference"]) as [number[], number[]];
    return new WholeStore(
      paths,
      makeEdges(ids, referrers, references),
      withFacts ? (Object.fromEntries(FACTS.map((name, at) => [name, facts[at]])) as unknown as Facts) : undefined,
    );
  });
}

/** By row numbers, of which those of objects are given in the order of their numbers. */
function makeEdges(ids: readonly number[], referrers: readonly number[], references: readonly number[]): Edges {
  const count = ids.length;
  const numbers = new Uint32Array(ids.reduce((last, id) => Math.max(last, id), 0) + 1);
  for (const [number, id] of ids.entries()) numbers[id] = number;
  const from = Uint32Array.from(referrers, (id) => numbers[id] as number);
  const to = Uint32Array.from(references, (id) => numbers[id] as number);
  // Sorted by target first, so that the targets of each object come in order.
  const byTarget = sortedBy(to, count, from.keys());
  const byOrigin = sortedBy(from, count, byTarget.order);
  return { starts: byOrigin.starts, targets: byOrigin.order.map((edge) => to[edge] as number) };
}

/** Edges in the order of a number each of them has; those with the same one stay in the order given. */
function sortedBy(
  keys: Uint32Array,
  count: number,
  edges: Iterable<number>,
): { readonly starts: Uint32Array; readonly order: Uint32Array } {
  const starts = new Uint32Array(count + 1);
  for (const key of keys) starts[key + 1] = (starts[key + 1] as number) + 1;
  for (let key = 0; key < count; key++) starts[key + 1] = (starts[key + 1] as number) + (starts[key] as number);
  const next = starts.slice();
  const order = new Uint32Array(keys.length);
  for (const edge of edges) {
    const key = keys[edge] as number;
    const at = next[key] as number;
    order[at] = edge;
    next[key] = at + 1;
  }
  return { starts, order };
}

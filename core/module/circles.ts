import type { Cell, Source } from "./cell.ts";
import type { OptionNode } from "./option-tree.ts";

/** A rule or an option on the way of the search. */
type Vertex = Source | Cell;

interface Visit {
  readonly vertex: Vertex;
  readonly number: number;
  readonly next: Iterator<Vertex>;
  /** The lowest number that can be reached from here. */
  lowest: number;
  isOpen: boolean;
}

/** Rules that feed each other, or one that feeds nobody who feeds it. */
export interface Component {
  readonly rules: readonly Source[];
  /** Whether the rules feed themselves, alone or through others. */
  readonly isCircle: boolean;
}

/**
 * Group rules so that each group is closed under "defines what the other reads" in both directions. A group that feeds
 * another one comes before it.
 *
 * Source: R. Tarjan, "Depth-first search and linear graph algorithms" (1972), without recursion, since chains of
 * modules can be longer than a stack is deep.
 */
export function componentsOf(rules: readonly Source[], cellOf: (node: OptionNode) => Cell): Component[] {
  const visited = new Map<Vertex, Visit>();
  const open: Visit[] = [];
  const found: Component[] = [];

  const enter = (vertex: Vertex): Visit => {
    const number = visited.size;
    const visit = { vertex, number, next: followers(vertex, cellOf), lowest: number, isOpen: true };
    visited.set(vertex, visit);
    open.push(visit);
    return visit;
  };

  const leave = (visit: Visit) => {
    if (visit.lowest !== visit.number) return;
    const own: Source[] = [];
    let size = 0;
    for (let member = open.pop(); member !== undefined; member = member === visit ? undefined : open.pop()) {
      member.isOpen = false;
      size += 1;
      if ("run" in member.vertex) own.push(member.vertex);
    }
    if (own.length > 0) found.push({ rules: own.reverse(), isCircle: size > 1 });
  };

  for (const rule of rules) {
    if (visited.has(rule)) continue;
    const visits = [enter(rule)];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      const step = visit.next.next();
      if (step.done === true) {
        visits.pop();
        leave(visit);
        const parent = visits.at(-1);
        if (parent !== undefined && visit.lowest < parent.lowest) parent.lowest = visit.lowest;
        continue;
      }
      const known = visited.get(step.value);
      if (known === undefined) visits.push(enter(step.value));
      else if (known.isOpen && known.number < visit.lowest) visit.lowest = known.number;
    }
  }
  return found.reverse();
}

/**
 * How many rules at most stand one behind the other before a rule; rules that feed each other are on one level. When
 * lower levels run first, most rules see what they read as it stays.
 */
export function levelsOf(components: readonly Component[]): Map<Source, number> {
  const ofOptions = new Map<OptionNode, number>();
  const levels = new Map<Source, number>();
  for (const { rules: own } of components) {
    let level = 0;
    for (const { run } of own) for (const node of run.reads) level = Math.max(level, ofOptions.get(node) ?? 0);
    for (const source of own) {
      levels.set(source, level);
      for (const node of source.run.definitions.keys())
        ofOptions.set(node, Math.max(ofOptions.get(node) ?? 0, level + 1));
    }
  }
  return levels;
}

/** From a rule to the options it defines and somebody reads, from an option to the rules that read it. */
function followers(vertex: Vertex, cellOf: (node: OptionNode) => Cell): Iterator<Vertex> {
  if (!("run" in vertex)) return vertex.readers.values();
  const read: Cell[] = [];
  for (const node of vertex.run.definitions.keys()) {
    const cell = cellOf(node);
    if (cell.readers.size > 0) read.push(cell);
  }
  return read.values();
}

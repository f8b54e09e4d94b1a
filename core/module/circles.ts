import type { Cell, Source } from "./cell.ts";
import type { OptionNode } from "./option-tree.ts";

/** A rule or an option on the way of the search. */
type Vertex = Source | Cell;

interface Visit {
  readonly vertex: Vertex;
  readonly next: Iterator<Vertex>;
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
  const numbers = new Map<Vertex, number>();
  const lowest = new Map<Vertex, number>();
  const open: Vertex[] = [];
  const isOpen = new Set<Vertex>();
  const found: Component[] = [];

  const enter = (vertex: Vertex): Visit => {
    numbers.set(vertex, numbers.size);
    lowest.set(vertex, numbers.size - 1);
    open.push(vertex);
    isOpen.add(vertex);
    return { vertex, next: followers(vertex, cellOf) };
  };
  const lower = (vertex: Vertex, to: number) => lowest.set(vertex, Math.min(lowest.get(vertex) as number, to));

  const leave = (vertex: Vertex) => {
    if (lowest.get(vertex) !== numbers.get(vertex)) return;
    const members = open.splice(open.lastIndexOf(vertex));
    for (const member of members) isOpen.delete(member);
    const own = members.filter((member) => "run" in member);
    if (own.length > 0) found.push({ rules: own, isCircle: members.length > 1 });
  };

  for (const rule of rules) {
    if (numbers.has(rule)) continue;
    const visits = [enter(rule)];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      const step = visit.next.next();
      if (step.done === true) {
        visits.pop();
        leave(visit.vertex);
        const parent = visits.at(-1)?.vertex;
        if (parent !== undefined) lower(parent, lowest.get(visit.vertex) as number);
      } else if (!numbers.has(step.value)) {
        visits.push(enter(step.value));
      } else if (isOpen.has(step.value)) {
        lower(visit.vertex, numbers.get(step.value) as number);
      }
    }
  }
  return found.reverse();
}

/**
 * How many rules at most stand one behind the other before a rule; rules that feed each other are on one level. When
 * lower levels run first, most rules see what they read as it stays.
 */
export function levelsOf(rules: readonly Source[], cellOf: (node: OptionNode) => Cell): Map<Source, number> {
  const ofOptions = new Map<OptionNode, number>();
  const levels = new Map<Source, number>();
  for (const { rules: own } of componentsOf(rules, cellOf)) {
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

/** From a rule to the options it defines, from an option to the rules that read it. */
function followers(vertex: Vertex, cellOf: (node: OptionNode) => Cell): Iterator<Vertex> {
  if (!("run" in vertex)) return vertex.readers.values();
  return vertex.run.definitions.keys().map(cellOf);
}

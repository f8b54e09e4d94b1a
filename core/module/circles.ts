import type { Cell, Source } from "./cell.ts";
import type { OptionNode } from "./option-tree.ts";

/** A rule or an option on the way of the search. */
type Vertex = Source | Cell;

interface Visit {
  readonly vertex: Vertex;
  readonly next: Iterator<Vertex>;
}

/**
 * Rules that feed themselves, alone or through others: each group is closed under "defines what the other reads".
 * A group that feeds another one comes before it.
 *
 * Source: R. Tarjan, "Depth-first search and linear graph algorithms" (1972), without recursion, since chains of
 * modules can be longer than a stack is deep.
 */
export function circlesOf(rules: readonly Source[], cellOf: (node: OptionNode) => Cell): Source[][] {
  const numbers = new Map<Vertex, number>();
  const lowest = new Map<Vertex, number>();
  const open: Vertex[] = [];
  const isOpen = new Set<Vertex>();
  const found: Source[][] = [];

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
    if (members.length > 1) found.push(members.filter((member) => "run" in member));
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

/** From a rule to the options it defines, from an option to the rules that read it. */
function followers(vertex: Vertex, cellOf: (node: OptionNode) => Cell): Iterator<Vertex> {
  if (!("run" in vertex)) return vertex.readers.values();
  return vertex.run.definitions.keys().map(cellOf);
}

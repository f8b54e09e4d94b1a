import type { Cells, Source } from "./cell.ts";

interface Visit {
  readonly rule: Source;
  readonly number: number;
  readonly next: readonly Source[];
  /** How many of the next ones were looked at. */
  looked: number;
  /** The lowest number that can be reached from here. */
  lowest: number;
  isOpen: boolean;
}

/** Rules that feed each other, or one that feeds nobody who feeds it. */
export interface Component {
  readonly rules: readonly Source[];
  /** Whether the rules feed themselves, alone or through others. */
  readonly isCircle: boolean;
  /** Rules that read what these define, some of them more than once. */
  readonly feeds: readonly Source[];
}

/**
 * Group rules so that each group is closed under "defines what the other reads" in both directions. A group that feeds
 * another one comes before it.
 *
 * Source: R. Tarjan, "Depth-first search and linear graph algorithms" (1972), without recursion, since chains of
 * modules can be longer than a stack is deep.
 */
export function componentsOf(rules: readonly Source[], cells: Cells): Component[] {
  const visited = new Map<Source, Visit>();
  const open: Visit[] = [];
  const found: Component[] = [];

  const enter = (rule: Source): Visit => {
    const number = visited.size;
    const visit = { rule, number, next: fedBy(rule, cells), looked: 0, lowest: number, isOpen: true };
    visited.set(rule, visit);
    open.push(visit);
    return visit;
  };

  const leave = (visit: Visit) => {
    if (visit.lowest !== visit.number) return;
    const own: Source[] = [];
    const feeds: Source[] = [];
    for (let member = open.pop(); member !== undefined; member = member === visit ? undefined : open.pop()) {
      member.isOpen = false;
      own.push(member.rule);
      feeds.push(...member.next);
    }
    found.push({ rules: own.reverse(), isCircle: own.length > 1 || visit.next.includes(visit.rule), feeds });
  };

  for (const rule of rules) {
    if (visited.has(rule)) continue;
    const visits = [enter(rule)];
    for (let visit = visits.at(-1); visit !== undefined; visit = visits.at(-1)) {
      const next = visit.next[visit.looked];
      visit.looked += 1;
      if (next === undefined) {
        visits.pop();
        leave(visit);
        const parent = visits.at(-1);
        if (parent !== undefined && visit.lowest < parent.lowest) parent.lowest = visit.lowest;
        continue;
      }
      const known = visited.get(next);
      if (known === undefined) visits.push(enter(next));
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
  const levels = new Map<Source, number>();
  for (const { rules: own, feeds } of components) {
    let level = 0;
    for (const rule of own) level = Math.max(level, levels.get(rule) ?? 0);
    for (const fed of feeds) levels.set(fed, Math.max(levels.get(fed) ?? 0, level + 1));
    // Also those that were just put behind themselves.
    for (const rule of own) levels.set(rule, level);
  }
  return levels;
}

/** The rules that read what a rule defines, each once: where many read many options they would be more than a call takes. */
function fedBy({ run }: Source, cells: Cells): Source[] {
  const fed = new Set<Source>();
  run.definitions.forEach((_, node) => {
    for (const reader of cells.of(node).readers) fed.add(reader);
  });
  return [...fed];
}

import type { Generation } from "./generation.ts";

/** Which generations are kept. Those that both rules give up are deleted; a rule that is left out gives up all. */
export interface ExpiryRule {
  /** So many of the newest. */
  readonly keep?: number | undefined;
  /** Those made since then, and the one that was the newest at that moment. */
  readonly since?: Date | undefined;
}

/**
 * The generations that may go, oldest first. The current one never does, nor one whose target is in use (a system that is
 * running or was booted).
 *
 * Source: Nix, `deleteGenerationsOlderThan`.
 */
export function planExpiry<One extends Pick<Generation, "number" | "target" | "date" | "current">>(
  generations: readonly One[],
  { keep = 0, since }: ExpiryRule,
  inUse: ReadonlySet<string> = new Set(),
): One[] {
  const newestFirst = [...generations].sort((a, b) => b.number - a.number);
  const activeThen = since === undefined ? -1 : newestFirst.findIndex(({ date }) => date < since);
  const firstOld = since === undefined ? 0 : activeThen === -1 ? newestFirst.length : activeThen + 1;
  return newestFirst
    .slice(Math.max(keep, firstOld))
    .filter(({ current, target }) => !current && !inUse.has(target))
    .reverse();
}

import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";

/** One result to link to. */
export interface LinkedResult {
  /** Name of the output; the link to `out` carries no suffix. */
  readonly output: string;
  readonly path: StorePath;
}

export interface LinkResultsOptions {
  readonly store: LocalStore;
  /** Absolute path of the first link. */
  readonly link: string;
}

/** The links to the results of each installable, and where they lead. */
export function linksOf(
  groups: readonly (readonly LinkedResult[])[],
  link: string,
): (readonly [name: string, path: StorePath])[] {
  return groups.flatMap((results, index) =>
    results.map(({ output, path }) => {
      const name = `${link}${index === 0 ? "" : `-${index}`}${output === "out" ? "" : `-${output}`}`;
      return [name, path] as const;
    }),
  );
}

/**
 * Link to the results of each installable: `result`, `result-dev` for its other outputs, `result-1` for the next
 * installable. Each link is a root that keeps its target from being collected.
 *
 * Source: names as `nix build` makes them.
 */
export function linkResults(groups: readonly (readonly LinkedResult[])[], { store, link }: LinkResultsOptions): void {
  for (const [name, path] of linksOf(groups, link)) store.addIndirectRoot(name, path);
}

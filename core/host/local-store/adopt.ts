import { closureOf, type PathInfo, type Realisation, type StorePath } from "../../store/index.ts";
import { isOwn, type LowerStore } from "./layered-queries.ts";
import type { StoreQueryTable } from "./queries.ts";
import type { RealisationTable } from "./realisations.ts";

/** Two stores, one upon the other. */
export interface Layers {
  readonly upper: StoreQueryTable;
  readonly realisations: RealisationTable;
  readonly lower: LowerStore;
  /** Register objects of which everything is known; see `register`. */
  readonly register: (infos: readonly PathInfo[]) => void;
}

/**
 * Repeat rows of the lower store in the database of the upper one, closures at once: its schema wants what a row refers to in the same
 * file. Such a row is a fact like any other and no claim to files.
 */
export function adopt({ upper, lower, register }: Layers, paths: Iterable<StorePath>): void {
  const missing = [...paths].filter((path) => !upper.has(path) && lower.isValid(path));
  if (missing.length === 0) return;
  const infos = new Map<StorePath, PathInfo>();
  const referencesOf = (path: StorePath): readonly StorePath[] => {
    const info = lower.queryPathInfo(path);
    // What is above is there with all it refers to.
    if (info === undefined || upper.has(path)) return [];
    infos.set(path, info);
    return info.references;
  };
  closureOf(missing, referencesOf);
  register([...infos.values()]);
}

/**
 * Of objects that are to be registered above, those that the lower store has not got meanwhile; what they refer to is above
 * afterwards.
 */
export function adoptReferences(layers: Layers, infos: readonly PathInfo[]): PathInfo[] {
  const { upper, lower } = layers;
  const own = infos.filter(({ path }) => !lower.isValid(path) || isOwn(path, upper, lower));
  adopt(
    layers,
    own.flatMap(({ references }) => references),
  );
  return own;
}

/** The same for realisations: those they depend on, and the objects of all. */
export function adoptForRealisations(layers: Layers, realisations: readonly Realisation[]): Realisation[] {
  const all = new Map<string, Realisation>();
  const given = new Map(realisations.map((each) => [each.id, each]));
  const visit = (id: string): void => {
    const known = layers.realisations.find(id);
    const found = given.get(id) ?? (known === undefined ? layers.lower.queryRealisation(id) : undefined);
    if (all.has(id) || found === undefined) return;
    for (const dependent of found.dependentRealisations.keys()) visit(dependent);
    // What something depends on comes before it.
    all.set(id, found);
  };
  for (const { id } of realisations) visit(id);
  adopt(
    layers,
    [...all.values()].map(({ outPath }) => outPath),
  );
  return [...all.values()];
}

import type { PlannedSource } from "../../derivation/index.ts";

/** A source the store must be given; trees with the place on the host they are copied from. */
export type PlanSource = PlannedSource & { readonly path: string };

/** What has to be added to a store before the derivations of an evaluation can be built, what is referred to first. */
export interface EvaluationPlan {
  readonly derivations: readonly { readonly path: string; readonly text: string }[];
  readonly sources: readonly PlanSource[];
  /** Store paths from which all others of the plan are reached; when a store has these, it has all. */
  readonly roots: readonly string[];
}

/** A plan whose long lists are read when first asked for. */
export function lazyPlan(
  roots: readonly string[],
  load: () => Pick<EvaluationPlan, "derivations" | "sources">,
): EvaluationPlan {
  let loaded: Pick<EvaluationPlan, "derivations" | "sources"> | undefined;
  const get = (): Pick<EvaluationPlan, "derivations" | "sources"> => {
    loaded ??= load();
    return loaded;
  };
  return {
    roots,
    get derivations() {
      return get().derivations;
    },
    get sources() {
      return get().sources;
    },
  };
}

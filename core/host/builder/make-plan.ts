import {
  type BuildPlan,
  type BuildTarget,
  type FoundTarget,
  type OutputName,
  type PlanAnswer,
  type PlanQuestion,
  planSteps,
  type WantedOutput,
} from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { Realisation, StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { BuildOptions } from "./build-paths.ts";

export interface MakePlanOptions {
  readonly store: LocalStore;
  readonly targets: readonly (BuildTarget | FoundTarget)[];
  /** Derivations that need not be in the store. */
  readonly derivations?: ReadonlyMap<StorePath, Derivation> | undefined;
  readonly paths: readonly StorePath[];
  readonly options: BuildOptions;
  /** Paths that other stores are not asked for: they offered them before and did not give them. */
  readonly refused: ReadonlySet<StorePath>;
  /** As in `PlanSource`. */
  readonly findImpureOutput?: ((output: OutputName) => StorePath | undefined) | undefined;
}

export interface MadePlan {
  readonly plan: BuildPlan;
  /** What other stores said outputs became; to be recorded once those are valid. */
  readonly realisations: readonly Realisation[];
  /** The same, by whose outputs they are. */
  readonly found: readonly WantedOutput[];
}

/** Plan a build against our store, asking other stores in as many rounds as it takes. Errors as `planSteps`. */
export async function makePlan({
  store,
  targets,
  derivations: given,
  paths,
  options,
  refused,
  findImpureOutput,
}: MakePlanOptions): Promise<MadePlan> {
  const { substituters, rebuild, signal } = options;
  const derivations = new Map<StorePath, Derivation>(given);
  const valid = new Set<StorePath>();
  const realisations: Realisation[] = [];
  const known: WantedOutput[] = [];
  const steps = planSteps({
    targets,
    paths,
    rebuild: rebuild === true,
    impure: options.impureDerivations,
    substitute: substituters !== undefined && !substituters.isEmpty,
    isValid(path) {
      if (valid.has(path)) return true;
      // What is valid now has to stay so until the run is over: first a root, then the look.
      store.addTempRoot(path);
      if (!store.isValid(path)) return false;
      valid.add(path);
      return true;
    },
    readDerivation(drvPath) {
      const drv = derivations.get(drvPath) ?? store.readDerivation(drvPath);
      derivations.set(drvPath, drv);
      return drv;
    },
    findOutput: ({ drvPath, output }) => store.findOutput(derivations.get(drvPath) as Derivation, output),
    ...(findImpureOutput === undefined ? {} : { findImpureOutput }),
  });
  const answer = async ({ paths: asked, outputs }: PlanQuestion): Promise<PlanAnswer> => {
    const found = await Promise.all(outputs.map((output) => findRealisation(output)));
    realisations.push(...found.filter((each) => each !== undefined));
    known.push(...outputs.map((output, i) => ({ ...output, path: found[i]?.outPath })));
    const questions = asked.filter((path) => !refused.has(path));
    const offers = (await substituters?.query(questions)) ?? new Map();
    signal?.throwIfAborted();
    return { offers, outputs: found.map((each) => each?.outPath) };
  };
  const findRealisation = async ({ drvPath, output }: OutputName): Promise<Realisation | undefined> => {
    const id = store.realisationIds(derivations.get(drvPath) as Derivation).get(output);
    const found = id === undefined ? undefined : await substituters?.findRealisation(id);
    return found === undefined || refused.has(found.outPath) ? undefined : found;
  };
  let step = steps.next();
  while (step.done !== true) step = steps.next(await answer(step.value));
  return { plan: step.value, realisations, found: known };
}

import { CodedError, compareText } from "../../base/index.ts";
import { type Derivation, fixedOutputOf } from "../../derivation/index.ts";
import { parseStorePath, type StorePath } from "../../store/index.ts";
import { filterFromFiles } from "../files/source-host.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { EvaluationPlan, PlanSource } from "./plan.ts";

/**
 * Add what an evaluation made to a store: sources, then `.drv` files. What the store has already is not touched.
 *
 * A plan comes from foreign code: every path is computed again from the contents, and an object that has another one is
 * refused. The store itself checks that each derivation states the output paths it must have.
 *
 * @throws {CodedError} `evaluation.source-changed` (a file changed since it was evaluated), `store.wrong-path`,
 *   `derivation.inconsistent`, `store.reference-not-valid`
 */
export async function realisePlan(
  store: LocalStore,
  plan: EvaluationPlan,
  onNotice?: (text: string) => void,
): Promise<void> {
  // Before looking whether they are valid, so that no collection can come between.
  store.addTempRoots(plan.roots);
  if (plan.roots.every((path) => store.isValid(path))) return;
  store.addTempRoots([...plan.sources, ...plan.derivations].map((item) => item.path));
  const fresh = plan.derivations.filter(({ path }) => !store.isValid(path)).map(({ path }) => path);
  await store.batch(async () => {
    for (const source of inLockOrder(plan.sources)) if (!store.isValid(source.path)) await addSource(store, source);
    for (const { path, text } of plan.derivations) store.addDerivationText(path, text);
  });
  if (onNotice === undefined || fresh.length === 0) return;
  const { staleContentNotice } = await import("../../build/index.ts");
  for (const path of fresh) {
    const [drv, deriver] = contentThere(store, parseStorePath(path)) ?? [];
    const notice = drv === undefined || deriver === undefined ? undefined : staleContentNotice(drv, deriver);
    if (notice !== undefined) onNotice(notice);
  }
}

/**
 * Trees, which refer to nothing, in the order of their paths, then texts as they are. A batch holds the locks of its trees
 * to its end, so two processes that took them in different orders would wait for each other for ever.
 */
function inLockOrder(sources: readonly PlanSource[]): PlanSource[] {
  const trees = sources.filter(({ kind }) => kind === "tree");
  const texts = sources.filter(({ kind }) => kind === "text");
  return [...trees.sort((a, b) => compareText(a.path, b.path)), ...texts];
}

async function addSource(store: LocalStore, source: PlanSource): Promise<void> {
  const path = parseStorePath(source.path);
  const added =
    source.kind === "text"
      ? store.addText(
          source.name,
          source.contents,
          source.references.map((reference) => parseStorePath(reference)),
        )
      : await store.addTree({
          name: source.name,
          from: source.from,
          ...(source.files === undefined ? {} : { filter: filterFromFiles(source.files) }),
        });
  if (added !== path) throw changed(source, added);
}

function changed(source: PlanSource, added: StorePath): CodedError {
  const what = source.kind === "text" ? `the text "${source.name}"` : `the source "${source.from}"`;
  return new CodedError(
    "evaluation.source-changed",
    `Cannot add ${what}: its contents belong to "${added}", expected "${source.path}"`,
    {
      hint: "If a file was saved during the evaluation, run the command again.",
    },
  );
}

/** A download that was just described while its content is there, and the derivation that came from. */
function contentThere(store: LocalStore, drvPath: StorePath): [Derivation, Derivation] | undefined {
  const drv = store.readDerivation(drvPath);
  const output = fixedOutputOf(drv)?.path as StorePath | undefined;
  const deriver = output === undefined ? undefined : store.queryPathInfo(output)?.deriver;
  if (deriver === undefined || deriver === drvPath || !store.isValid(deriver)) return undefined;
  return [drv, store.readDerivation(deriver)];
}

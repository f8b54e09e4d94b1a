import { CodedError } from "../../base/index.ts";
import { type PublicKey, type Realisation, realisationSigners, type StorePath } from "../../store/index.ts";
import { BinaryCacheStore } from "../binary-cache/index.ts";
import { LocalStore } from "../local-store/index.ts";
import type { DaemonStore } from "../remote-store/index.ts";
import { ed25519 } from "../signing/index.ts";
import type { AnyStore } from "./any-store.ts";

export interface CopyRealisationsOptions {
  readonly from: AnyStore;
  readonly to: AnyStore;
  /** Objects that were copied: a store of this machine knows which outputs they and what they need are. */
  readonly paths: readonly StorePath[];
  /** Realisations to ask other stores for, by id. Default none. */
  readonly ids?: readonly string[] | undefined;
  /** As for copying objects. */
  readonly trusted: readonly PublicKey[] | "all";
}

export interface CopiedRealisations {
  /** How many the other store has now. */
  readonly copied: number;
  /** How many it has not, because nobody it trusts vouches for them. */
  readonly refused: number;
}

/**
 * Tell a store what outputs became that are addressed by their content, dependencies first. Only what is valid there is told of.
 * Stores that neither know nor learn such things are passed over. That an object is what its path says needs no signature; that a
 * derivation gives it does.
 *
 * @throws {CodedError} those of both stores
 */
export async function copyRealisations(options: CopyRealisationsOptions): Promise<CopiedRealisations> {
  const { from, to, trusted } = options;
  const record = recorderOf(to);
  if (record === undefined) return { copied: 0, refused: 0 };
  const judge = to instanceof LocalStore;
  let copied = 0;
  let refused = 0;
  for (const realisation of await gather(options)) {
    if (!(await to.isValid(realisation.outPath))) continue;
    const isWelcome = !judge || isBelieved(realisation, from, trusted);
    if (isWelcome && (await record(realisation))) copied++;
    else refused++;
  }
  return { copied, refused };
}

/**
 * What an output became, from a store that is not asked about objects alone.
 *
 * @throws {CodedError} `signature.untrusted` when nobody who is trusted vouches for it
 */
export async function findRealisation(
  from: AnyStore,
  id: string,
  trusted: readonly PublicKey[] | "all",
): Promise<Realisation | undefined> {
  const found = await askerOf(from)?.(id);
  if (found === undefined || isBelieved(found, from, trusted)) return found;
  throw new CodedError(
    "signature.untrusted",
    `Cannot trust that "${id}" became "${found.outPath}": no trusted key signed it`,
    { hint: "Name the key with --trusted-key, or take everything with --no-check-sigs." },
  );
}

function isBelieved(realisation: Realisation, from: AnyStore, trusted: readonly PublicKey[] | "all"): boolean {
  if (trusted === "all" || (from instanceof BinaryCacheStore && from.trusted)) return true;
  return realisationSigners(realisation, trusted, ed25519).length > 0;
}

/** All of them, dependencies first. */
async function gather({ from, paths, ids = [] }: CopyRealisationsOptions): Promise<Realisation[]> {
  const ask = askerOf(from);
  const ordered = new Map<string, Realisation>();
  const begun = new Set<string>();
  const visit = async (id: string, known?: Realisation): Promise<void> => {
    if (begun.has(id)) return;
    begun.add(id);
    const realisation = known ?? (await ask?.(id));
    if (realisation === undefined) return;
    for (const dependency of realisation.dependentRealisations.keys()) await visit(dependency);
    ordered.set(id, realisation);
  };
  if (from instanceof LocalStore && from.hasRealisations)
    for (const path of from.closure(paths))
      for (const each of from.queryRealisationsOf(path)) await visit(each.id, each);
  for (const id of ids) await visit(id);
  return [...ordered.values()];
}

type Asker = (id: string) => Promise<Realisation | undefined>;

function askerOf(store: AnyStore): Asker | undefined {
  if (store instanceof LocalStore) return async (id) => store.queryRealisation(id);
  if (store instanceof BinaryCacheStore || knows(store)) return (id) => store.queryRealisation(id);
  return undefined;
}

/** Gives whether the store took it. */
function recorderOf(store: AnyStore): ((realisation: Realisation) => Promise<boolean>) | undefined {
  if (store instanceof LocalStore) {
    return async (realisation) => {
      store.addRealisations([realisation]);
      return true;
    };
  }
  if (store instanceof BinaryCacheStore) {
    return async (realisation) => {
      await store.addRealisation(realisation);
      return true;
    };
  }
  return knows(store) ? (realisation) => store.addRealisation(realisation) : undefined;
}

function knows(store: AnyStore): store is AnyStore & Pick<DaemonStore, "queryRealisation" | "addRealisation"> {
  return "addRealisation" in store;
}

import { CodedError } from "../../base/index.ts";
import type { BuildEvent, Offer, SubstituteJob } from "../../build/index.ts";
import { showUrl } from "../../fetch/index.ts";
import { factsToTell, type PathInfo, type StorePath } from "../../store/index.ts";
import type { HeldLocks, LocalStore } from "../local-store/index.ts";
import type { Substituters } from "../substitute/index.ts";
import { diskFull, isNoSpace } from "./failures.ts";

/** How often progress is told while bytes come, in milliseconds. */
const PROGRESS_MS = 100;

/** An object whose files are in place, complete and checked, but not registered. */
export interface Arrived {
  readonly info: PathInfo;
  readonly from: string;
  readonly elapsedMs: number;
  /** `undefined` when somebody else made the object valid meanwhile; then there is nothing to register. */
  readonly locks: HeldLocks | undefined;
}

/** Takes objects from other stores into ours. */
export class Transfers {
  readonly #store: LocalStore;
  readonly #substituters: Substituters;

  constructor(store: LocalStore, substituters: Substituters) {
    this.#store = store;
    this.#substituters = substituters;
  }

  /**
   * Fetch the object of a job, from one store after another until one gives what it promised.
   *
   * @throws {CodedError} of the last store; `build.disk-full`. Nothing is left behind then.
   */
  async take(job: SubstituteJob, emit: (event: BuildEvent) => void, signal: AbortSignal): Promise<Arrived> {
    const { path } = job;
    const tried = new Set<string>();
    for (let offer: Offer | undefined = job.offer; ; ) {
      tried.add(offer.from);
      emit({ kind: "transfer-started", path, from: offer.from });
      const started = performance.now();
      let failure: unknown;
      try {
        checkReferences(offer, job.offer);
        const info = factsToTell(offer.info);
        const locks = await this.#store.unpackNar(info, this.#watched(offer, emit), signal);
        return { info, from: offer.from, elapsedMs: performance.now() - started, locks };
      } catch (error) {
        signal.throwIfAborted();
        if (isNoSpace(error)) throw diskFull(path, this.#store.realStoreDirectory, error);
        failure = error;
      }
      // That it was left out has been told.
      if ((failure as CodedError).code !== "substitute.left-out")
        emit({ kind: "warning", message: `${showUrl(offer.from)}: ${(failure as Error).message}` });
      await this.#substituters.disappointed(offer);
      offer = await this.#substituters.find(path, tried);
      if (offer === undefined) throw asCoded(path, failure);
    }
  }

  /** The archive, telling how far it has come. */
  async *#watched(offer: Offer, emit: (event: BuildEvent) => void): AsyncGenerator<Uint8Array> {
    const { path, narSize: totalBytes } = offer.info;
    let doneBytes = 0;
    let told = performance.now();
    for await (const piece of this.#substituters.readNar(offer)) {
      yield piece;
      doneBytes += piece.length;
      if (performance.now() - told < PROGRESS_MS) continue;
      told = performance.now();
      emit({ kind: "transfer-progress", path, doneBytes, totalBytes });
    }
  }
}

/** The plan fetches what the first offer refers to; another one may not need anything else. */
function checkReferences(offer: Offer, planned: Offer): void {
  const known = new Set<StorePath>(planned.info.references);
  const other = offer.info.references.find((reference) => !known.has(reference));
  if (other === undefined) return;
  throw new CodedError(
    "substitute.other-references",
    `Cannot use "${offer.info.path}" of this store: it refers to "${other}", that of the first store does not`,
  );
}

function asCoded(path: StorePath, error: unknown): CodedError {
  if (error instanceof CodedError) return error;
  return new CodedError("substitute.failed", `Cannot fetch "${path}": ${(error as Error).message}`, { cause: error });
}

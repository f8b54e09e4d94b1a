import { readFileSync } from "node:fs";
import { fromUtf8 } from "../../base/index.ts";
import { type Derivation, derivationNameOf, parseDerivation } from "../../derivation/index.ts";
import { checkNar, ContentCheck, isDerivationPath, type PathInfo, type StorePath } from "../../store/index.ts";
import { removeTree, restoreNar } from "../files/index.ts";
import type { HeldLocks } from "./path-locks.ts";

export interface UnpackNarOptions {
  readonly info: PathInfo;
  readonly nar: AsyncIterable<Uint8Array>;
  /** Where the object is to lie. */
  readonly place: string;
  readonly isValid: () => boolean;
  readonly lock: (place: string) => Promise<HeldLocks>;
}

/**
 * Write an object that is not valid yet to its place, under its lock.
 *
 * @returns The lock; `undefined` when somebody else has made it valid meanwhile.
 * @throws {CodedError} `store.nar-mismatch`, `store.content-address-mismatch`, `nar.malformed`, `derivation.malformed` for a
 *   `.drv` file that is none; nothing is left then.
 */
export async function unpackNar({ info, nar, place, isValid, lock }: UnpackNarOptions): Promise<HeldLocks | undefined> {
  const locks = await lock(place);
  try {
    if (isValid()) {
      locks.release();
      return undefined;
    }
    removeTree(place);
    const check = new ContentCheck(info);
    const restored = await restoreNar(check.watch(nar), place);
    checkNar(info, restored);
    check.finish(restored.narHash);
    // Registration would refuse it too, with all that is registered together with it.
    if (isDerivationPath(info.path)) readDerivationAt(place, info.path);
    return locks;
  } catch (error) {
    removeTree(place);
    locks.release();
    throw error;
  }
}

/** @throws {CodedError} `derivation.malformed` */
export function readDerivationAt(place: string, path: StorePath): Derivation {
  return parseDerivation(fromUtf8(readFileSync(place)), derivationNameOf(path));
}

import { randomBytes } from "node:crypto";
import { toBase32 } from "../../base/index.ts";
import { STORE_DIRECTORY, type StorePath } from "../../store/index.ts";

const DIGEST_BYTES = 20;

/**
 * Places in the store directory for objects whose path is not known yet: they are written there and then renamed.
 *
 * Collectors delete what they do not know, but leave alone whatever has the digest of a temporary root, valid or not. So all
 * places of a process share one random digest, and {@link root} protects them in every version of Nix.
 */
export class TemporaryPlaces {
  #root: StorePath | undefined;
  #count = 0;

  get root(): StorePath {
    return (this.#root ??= `${STORE_DIRECTORY}/${toBase32(randomBytes(DIGEST_BYTES))}-incoming` as StorePath);
  }

  next(): StorePath {
    this.#count += 1;
    return `${this.root}-${this.#count}` as StorePath;
  }
}

import { CodedError } from "../../base/index.ts";
import {
  checkTrusted,
  type PathInfo,
  type PublicKey,
  type Realisation,
  realisationSigners,
  type StorePath,
} from "../../store/index.ts";
import { ed25519 } from "../signing/index.ts";

/** Whose signatures count; `all` when none is needed. */
export type Believed = readonly PublicKey[] | "all";

/**
 * Check what another store says of a path.
 *
 * @throws {CodedError} `substitute.wrong-path` when it speaks of another one; `signature.untrusted`
 */
export function checkAnswer(info: PathInfo, path: StorePath, believed: Believed): void {
  if (info.path !== path)
    throw new CodedError("substitute.wrong-path", `Cannot use its answer: asked for "${path}", found "${info.path}"`);
  if (believed !== "all") checkTrusted(info, believed, ed25519);
}

/**
 * Check what another store says an output became.
 *
 * @throws {CodedError} `substitute.wrong-path` when it speaks of another one; `substitute.untrusted-realisation`
 */
export function checkRealisation(realisation: Realisation, id: string, believed: Believed): void {
  if (realisation.id !== id)
    throw new CodedError(
      "substitute.wrong-path",
      `Cannot use its answer: asked for "${id}", found "${realisation.id}"`,
    );
  if (believed === "all" || realisationSigners(realisation, believed, ed25519).length > 0) return;
  throw new CodedError(
    "substitute.untrusted-realisation",
    `Cannot trust what it says of "${id}": no key of ${believed.map(({ name }) => name).join(", ") || "none"} signed it`,
  );
}

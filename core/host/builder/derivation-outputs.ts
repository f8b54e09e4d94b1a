import { lstatSync, readFileSync } from "node:fs";
import { CodedError, fromUtf8, raise } from "../../base/index.ts";
import {
  checkOutputPaths,
  derivationNameOf,
  derivationReferences,
  type InputHashes,
  parseDerivation,
} from "../../derivation/index.ts";
import { isDerivationPath, type PathInfo, type StorePath } from "../../store/index.ts";

/** No derivation is near that; a longer file is not read into memory. */
const MOST_BYTES = 64 * 1024 * 1024;

/**
 * Refuse an output that is named like a derivation and is none: it could not be registered, and that is its builder's failure.
 *
 * @param place Where it lies on the host.
 * @throws {CodedError} `build.not-a-derivation`
 */
export function checkDerivationOutput({ path, references }: PathInfo, place: string, inputs: InputHashes): void {
  if (!isDerivationPath(path)) return;
  try {
    const stat = lstatSync(place);
    if (!stat.isFile()) throw refused(path, "expected one file");
    if (stat.size > MOST_BYTES) throw refused(path, `found ${stat.size} bytes`);
    const derivation = parseDerivation(fromUtf8(readFileSync(place)), derivationNameOf(path));
    const missing = derivationReferences(derivation).filter((input) => !references.includes(input));
    if (missing.length > 0) throw refused(path, `it needs ${missing.join(", ")}, which its builder was not given`);
    raise(checkOutputPaths(derivation, { inputs }));
  } catch (error) {
    if (!(error instanceof CodedError) || error.code === "build.not-a-derivation") throw error;
    throw refused(path, "it is none", error);
  }
}

function refused(path: StorePath, found: string, cause?: CodedError): CodedError {
  return new CodedError(
    "build.not-a-derivation",
    `Cannot accept output "${path}", which is named like a derivation: ${found}`,
    {
      details: cause === undefined ? undefined : [cause.message],
      hint: 'Names that end in ".drv" are for derivations alone; give it another one.',
      exitCode: 100,
      cause,
    },
  );
}

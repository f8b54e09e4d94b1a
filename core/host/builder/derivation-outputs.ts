import { lstatSync, readFileSync } from "node:fs";
import { CodedError, type Diagnostic, fromUtf8, raise } from "../../base/index.ts";
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
    const faults = checkOutputPaths(derivation, { inputs });
    const { name: stated = derivation.name } = derivation.env;
    if (faults.length > 0 && stated !== derivation.name) throw misnamed(path, stated, faults);
    raise(faults);
  } catch (error) {
    if (!(error instanceof CodedError) || error.code === "build.not-a-derivation") throw error;
    throw refused(path, "it is none", error);
  }
}

/** Paths of outputs hold the name of their derivation, which stands nowhere but in the name of its file. */
function misnamed(path: StorePath, stated: string, faults: readonly Diagnostic[]): CodedError {
  return new CodedError(
    "build.not-a-derivation",
    `Cannot accept output "${path}": it states paths of outputs that it cannot have`,
    {
      details: faults.map(({ message }) => message),
      hint: `Its variable "name" says that it is "${stated}": what writes it has to be named "${stated}.drv".`,
      exitCode: 100,
    },
  );
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

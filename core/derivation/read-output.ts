import { callerLocation, CodedError } from "../base/index.ts";
import { tryParseStorePath } from "../store/index.ts";
import { currentState } from "./evaluation.ts";
import { scanText } from "./scan.ts";

/** The code of the error that leaves a configuration whose output has to be built first. */
export const NEEDS_BUILD = "evaluation.needs-build";

/**
 * Read a text file of an output while evaluating. Where the output is not there yet, this part of the evaluation is left; all others go
 * on, so that what they need is built at the same time, and then everything is evaluated again.
 *
 * @param path A path in an output of a derivation of this evaluation: `${made}/version.txt`, or `${made}` for one that is a file.
 * @throws {CodedError} `derivation.no-output-path` when it is no such path; `evaluation.needs-build`, which nobody sees in the end;
 *   `source.missing` and the like when the output has no such file.
 *
 * @example const version = readOutput(`${derivation({ …, name: "version" })}`).trim();
 */
export function readOutput(path: string): string {
  const state = currentState();
  const at = callerLocation(readOutput);
  const object = tryParseStorePath(path.split("/", 4).join("/"));
  const [origin] = object === undefined ? [] : scanText(state, object, "readOutput()");
  if (object === undefined || origin?.kind !== "output") {
    throw new CodedError(
      "derivation.no-output-path",
      `Cannot read "${path}": expected a path in an output of a derivation, known before it is built`,
      { at, hint: "Write: readOutput(`${made}/file`), where made is a derivation; files of a source are imported." },
    );
  }
  const found = state.host.readOutput?.(path, object);
  if (found !== undefined) return found;
  state.needs.set(object, { drvPath: origin.drvPath, output: origin.output, at });
  throw new CodedError(NEEDS_BUILD, `Cannot read "${path}" yet: it has to be built first`, { at });
}

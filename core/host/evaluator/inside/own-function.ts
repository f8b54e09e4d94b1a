import { callerLocation, CodedError } from "../../../base/index.ts";
import { EXPRESSION_PLACE } from "./expression-place.ts";

/**
 * A function that takes files beside the one that calls it, for the files of one source alone.
 *
 * Which file calls, the stack says, and a function that was bound has no frame there: as a getter among what an input gives out it would be called
 * by the flake that spreads that, and take the flake's files for the input.
 *
 * @param source Where the source lies.
 */
export function ownFunction(
  name: string,
  given: (...args: readonly unknown[]) => unknown,
  source: string,
): (...args: readonly unknown[]) => unknown {
  const own = (...args: readonly unknown[]): unknown => {
    const at = callerLocation(own);
    if (at === undefined || at.file === EXPRESSION_PLACE || at.file.startsWith(`${source}/`)) return given(...args);
    throw new CodedError(
      "source.foreign-caller",
      `Cannot call ${name}() here: it was imported by a file of "${source}", and takes only files from there`,
      { at, hint: `Import ${name} in the file that calls it, or be given a function that calls it.` },
    );
  };
  return Object.freeze(Object.defineProperty(own, "name", { value: name }));
}

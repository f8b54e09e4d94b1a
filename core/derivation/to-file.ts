import { CodedError, sortedText } from "../base/index.ts";
import { makeTextPath } from "../store/index.ts";
import { currentState, registerSource } from "./evaluation.ts";
import { placed } from "./make-derivation.ts";
import { addInputs, makeInputs } from "./scan.ts";

/**
 * A text as a store object of its own, without a build. It may refer to sources and other texts.
 *
 * @returns Its store path.
 * @throws {CodedError} at the caller's line: `derivation.text-refers-to-output` (what is not built yet cannot be referred to
 *   by something that is written now), `derivation.unknown-reference`, `store-path.name`, `evaluation.not-begun`
 */
export function toFile(name: string, contents: string): string {
  return placed(toFile, () => {
    const state = currentState();
    const inputs = makeInputs();
    addInputs(state, inputs, contents, `the text "${name}"`);
    const [drvPath] = inputs.derivations.keys();
    if (drvPath !== undefined) {
      throw new CodedError(
        "derivation.text-refers-to-output",
        `Cannot write the text "${name}": it refers to an output of "${drvPath}", expected only sources and other texts`,
        {
          hint: "Use writeText of the package set: it makes a derivation, which may refer to anything.",
        },
      );
    }
    const references = [...inputs.sources];
    const path = makeTextPath(name, contents, references);
    registerSource(path, { kind: "text", name, contents, references: sortedText(references) });
    return path;
  });
}

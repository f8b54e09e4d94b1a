import { CodedError } from "../base/index.ts";
import { outputPathName, type StorePath } from "../store/index.ts";
import { derivationNameOf } from "./derivation.ts";
import { currentState, type EvaluationState, type Origin } from "./evaluation.ts";
import { originDigest, outputText, placed } from "./make-derivation.ts";
import { checkOutputName } from "./output-paths.ts";
import { downstreamPlaceholder } from "./placeholder.ts";
import { scanText } from "./scan.ts";

/**
 * The output of a derivation that is an output itself: a builder writes it, and nobody knows it before. In strings it is a placeholder, which
 * the builder of what refers to it finds replaced by the path; the derivation is read and built in between.
 *
 * @param plan An output whose name ends in `.drv` (of a derivation that is named so), what this function gave before, or a `drvPath`.
 * @param output Which output of the derivation that the builder wrote. Default `out`.
 * @returns A text for strings that enter derivations, as the path of an output that is addressed by its content.
 * @throws {CodedError} at the caller's line: `derivation.no-output-path` for anything else, `derivation.not-a-derivation` for an output of another
 *   name, `derivation.no-such-output` for one that a `drvPath` has not, `derivation.output-name`, `store-path.name`, `evaluation.not-begun`
 *
 * @example
 * const plan = derivation({ …, name: "hello.drv", contentAddressed: { method: "text", algorithm: "sha256" } });
 * const hello = derivation({ …, args: ["-c", `cp ${outputOf(plan)} $out`] });
 */
export function outputOf(
  plan: string | { readonly outPath: string; toString(): string },
  output: string = "out",
): string {
  return placed(outputOf, () => find(currentState(), String(plan), output));
}

function find(state: EvaluationState, text: string, output: string): string {
  const [origin, ...others] = scanText(state, text, "outputOf()");
  if (origin === undefined || others.length > 0 || origin.kind === "source" || textOf(state, origin) !== text) {
    throw new CodedError(
      "derivation.no-output-path",
      `Cannot use an output of "${text}": expected an output of a derivation, and nothing around it`,
      { hint: "Write: outputOf(made) or outputOf(made.outputs.plan), where made is a derivation whose output is one." },
    );
  }
  const { drvPath } = origin;
  const made = state.made.get(drvPath);
  if (origin.kind === "derivation") {
    if (made !== undefined && Object.hasOwn(made.outputs, output)) return outputText(drvPath, made, output);
    throw new CodedError(
      "derivation.no-such-output",
      `Cannot use output "${output}" of "${drvPath}": found only ${Object.keys(made?.outputs ?? {}).join(", ")}`,
    );
  }
  if (origin.kind === "output") checkIsPlan(drvPath, origin.output);
  checkOutputName(output, text);
  const through = [...(origin.kind === "nested" ? origin.through : []), origin.output];
  const [first = "", ...deeper] = through;
  const found = downstreamPlaceholder(drvPath, first, ...deeper, output);
  state.origins.set(originDigest(found), { kind: "nested", drvPath, through, output });
  return found;
}

function textOf(state: EvaluationState, origin: Exclude<Origin, { kind: "source" }>): string | undefined {
  if (origin.kind === "derivation") return origin.drvPath;
  if (origin.kind === "nested") {
    const [first = "", ...deeper] = origin.through;
    return downstreamPlaceholder(origin.drvPath, first, ...deeper, origin.output);
  }
  const made = state.made.get(origin.drvPath);
  return made && outputText(origin.drvPath, made, origin.output);
}

/** Its name is all that says of an output that it is a derivation, and what name that has. */
function checkIsPlan(drvPath: StorePath, output: string): void {
  const name = outputPathName(derivationNameOf(drvPath), output);
  if (name.endsWith(".drv")) return;
  throw new CodedError(
    "derivation.not-a-derivation",
    `Cannot use an output of "${name}": its name does not end in ".drv", so it is no derivation`,
    {
      hint: `Name the derivation that writes it "${derivationNameOf(drvPath)}.drv": what is in it is then named "${derivationNameOf(drvPath)}".`,
    },
  );
}

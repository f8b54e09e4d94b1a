import { type Derivation, type DerivationOutput, makeScratchPath, outputKind } from "../derivation/index.ts";
import type { StorePath } from "../store/index.ts";

/**
 * The derivation as its builder sees it: outputs whose paths depend on their contents lie at scratch paths, which are replaced
 * when the contents are there.
 */
export function withScratchOutputs(drvPath: StorePath, drv: Derivation): Derivation {
  const outputs = Object.entries(drv.outputs).map(([name, output]) => [
    name,
    followsContent(output) ? { ...output, path: makeScratchPath(drvPath, name) } : output,
  ]);
  return { ...drv, outputs: Object.fromEntries(outputs) };
}

/** Whether the paths of the outputs follow from what is in them. */
export function isFloating(drv: Derivation): boolean {
  return Object.values(drv.outputs).some(followsContent);
}

function followsContent(output: DerivationOutput): boolean {
  return ["floating", "impure"].includes(outputKind(output));
}

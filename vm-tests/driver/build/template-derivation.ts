import { fileURLToPath } from "node:url";
import { join } from "node:path";
import type { BuildTarget } from "../../../core/build/index.ts";
import {
  completeOutputs,
  type Derivation,
  formatStructuredAttrs,
  makeInputHashes,
  type StructuredValue,
} from "../../../core/derivation/index.ts";
import type { LocalStore } from "../../../core/host/local-store/index.ts";
import { sortedText } from "../../../core/base/index.ts";
import type { StorePath } from "../../../core/store/index.ts";
import type { VmTestManifest } from "../../manifest.ts";
import { needsOf } from "../admission.ts";
import { addSource, BEGIN } from "./add-source.ts";
import { placeOf, readSourceClosure, type SourceRoot } from "./source-closure.ts";

const FLOE: SourceRoot = { directory: fileURLToPath(new URL("../../../", import.meta.url)), name: "floe" };
const INSIDE = join(import.meta.dirname, "inside-template.ts");

export interface TemplateDerivationsOptions {
  readonly store: LocalStore;
  readonly manifest: VmTestManifest;
  /** What the evaluation says has to be built for the manifest. */
  readonly targets: readonly BuildTarget[];
}

/** What tests that are builds copy: a machine that was booted and frozen, as a build of its own. */
export interface TemplateDerivation {
  readonly machine: string;
  readonly drvPath: StorePath;
  /** The folder it makes. */
  readonly path: string;
}

/**
 * Make the template of each machine a derivation, and write it to the store. A test that starts such a machine has it among its inputs;
 * other tests with the same machine have the same one.
 *
 * Its inputs are what the machine is made of, the programs that run it, and the files that boot and freeze it, but no story.
 */
export async function addTemplateDerivations(options: TemplateDerivationsOptions): Promise<TemplateDerivation[]> {
  const { store, manifest } = options;
  if (manifest.boot === "cold") return [];
  const source = await addSource(store, "vm-template", readSourceClosure({ entries: [INSIDE], roots: [FLOE] }), [FLOE]);
  const { programs } = manifest;
  const made: TemplateDerivation[] = [];
  for (const [machine, own] of Object.entries(manifest.machines)) {
    const attributes = { machine, manifest: own, programs };
    const derivation: Derivation = {
      name: `vm-template-${machine}`,
      outputs: { out: { path: "", hashAlgorithm: "", hash: "" } },
      inputDerivations: neededTargets(options, JSON.stringify(attributes)),
      inputSources: [source],
      system: "x86_64-linux",
      builder: programs.node,
      args: ["--disable-warning=ExperimentalWarning", `${source}/${BEGIN}`, `${source}/${placeOf(INSIDE, [FLOE])}`],
      env: {
        out: "",
        __json: formatStructuredAttrs({
          ...(attributes as unknown as Record<string, StructuredValue>),
          requiredSystemFeatures: ["nixos-test"],
          requiredMemory: `${needsOf({ [machine]: own }).memoryMiB}M`,
        }),
      },
    };
    const complete = completeOutputs(derivation, { inputs: makeInputHashes((path) => store.readDerivation(path)) });
    const drvPath = await store.batch(() => store.addDerivation(complete));
    made.push({ machine, drvPath, path: complete.outputs["out"]?.path ?? "" });
  }
  return made;
}

/** The targets whose outputs a text names; those whose outputs are not known beforehand are all needed. */
function neededTargets(
  { store, targets }: TemplateDerivationsOptions,
  text: string,
): ReadonlyMap<StorePath, readonly string[]> {
  return new Map(
    targets
      .filter(({ drvPath }) =>
        Object.values(store.readDerivation(drvPath).outputs).some(({ path }) => path === "" || text.includes(path)),
      )
      .map(({ drvPath, outputs }) => [drvPath, outputs === undefined ? ["out"] : sortedText(outputs)] as const),
  );
}

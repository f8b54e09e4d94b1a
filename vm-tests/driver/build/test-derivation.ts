import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
import { addTemplateDerivations, type TemplateDerivation } from "./template-derivation.ts";

const FLOE: SourceRoot = { directory: fileURLToPath(new URL("../../../", import.meta.url)), name: "floe" };
const NODE_FLAGS = ["--disable-warning=ExperimentalWarning"];
const INSIDE = join(import.meta.dirname, "inside.ts");

export interface TestDerivationOptions {
  readonly store: LocalStore;
  readonly manifest: VmTestManifest;
  /** What the evaluation says has to be built for the manifest. */
  readonly targets: readonly BuildTarget[];
  /** Absolute path of the story's file, and of its flake's folder. */
  readonly storyFile: string;
  readonly flakeFolder: string;
}

/** A test as a build. */
export interface TestDerivation {
  readonly drvPath: StorePath;
  /** Builds of its machines' templates, which are among its inputs. */
  readonly templates: readonly TemplateDerivation[];
  /** Text out of the build (JSON, too), its places in sources as places on this machine. */
  readonly onHost: (text: string) => string;
}

/**
 * Make a machine test a derivation, and write it to the store.
 *
 * Its inputs are the machines' images and the programs that run them, both by the evaluation, the machines' templates, and one source: the files that running the
 * story may load, so that a change to any other file leaves its output's path as it is.
 *
 * @throws {CodedError} `vm-test.import`
 */
export async function addTestDerivation(options: TestDerivationOptions): Promise<TestDerivation> {
  const { store, manifest, targets, storyFile, flakeFolder } = options;
  const roots = [FLOE, { directory: flakeFolder, name: "flake" }];
  const files = readSourceClosure({ entries: [INSIDE, storyFile], roots });
  const source = await addSource(store, `vm-test-${manifest.name}`, files, roots);
  const templates = await addTemplateDerivations(options);
  const inputDerivations = new Map<StorePath, readonly string[]>([
    ...targets.map(({ drvPath, outputs }) => [drvPath, outputs === undefined ? ["out"] : sortedText(outputs)] as const),
    ...templates.map(({ drvPath }) => [drvPath, ["out"]] as const),
  ]);
  const { programs } = manifest;
  const derivation: Derivation = {
    name: `vm-test-${manifest.name}`,
    outputs: { out: { path: "", hashAlgorithm: "", hash: "" } },
    inputDerivations,
    inputSources: [source],
    system: "x86_64-linux",
    builder: programs.node,
    args: [
      ...NODE_FLAGS,
      ...[BEGIN, placeOf(INSIDE, roots), placeOf(storyFile, roots)].map((place) => `${source}/${place}`),
    ],
    env: {
      out: "",
      __json: formatStructuredAttrs({
        // Where the story lies on this machine, and what it says of itself, change nothing about what happens.
        manifest: { ...manifest, story: "", description: "", tags: [] } as unknown as StructuredValue,
        templates: Object.fromEntries(templates.map(({ machine, path }) => [machine, path])),
        requiredSystemFeatures: ["nixos-test"],
        requiredMemory: `${needsOf(manifest.machines).memoryMiB}M`,
      }),
    },
  };
  const complete = completeOutputs(derivation, { inputs: makeInputHashes((path) => store.readDerivation(path)) });
  const places = roots.map(
    ({ name, directory }) => [`${source}/${name}/`, inJson(`${directory.replace(/\/$/, "")}/`)] as const,
  );
  return {
    drvPath: await store.batch(() => store.addDerivation(complete)),
    templates,
    onHost: (text) => places.reduce((sum, [inside, here]) => sum.replaceAll(inside, here), text),
  };
}

/** A text as it stands inside of a text of JSON. */
function inJson(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

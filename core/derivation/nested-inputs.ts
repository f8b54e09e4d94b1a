import { compareText, sortedText } from "../base/index.ts";
import { checkName, type StorePath } from "../store/index.ts";

/** Outputs of a derivation that is itself the output of one: it is known only when that is built. */
export interface NestedInput {
  /** The derivation that is there from the beginning; it is one of the input derivations. */
  readonly drvPath: StorePath;
  /** Names of outputs that are derivations: the first of `drvPath`, each next one of the one before. At least one. */
  readonly through: readonly string[];
  /** Outputs of the last of them. At least one. */
  readonly outputs: readonly string[];
}

/** How many derivations on the way to an input may be outputs. */
export const DEEPEST_INPUT = 100;

/**
 * Nested inputs in byte order, those through the same outputs as one.
 *
 * @throws {CodedError} `store-path.name` for a name that no output has.
 */
export function sortNested(inputs: Iterable<NestedInput>): NestedInput[] {
  const found = new Map<string, { readonly input: NestedInput; readonly outputs: Set<string> }>();
  for (const input of inputs) {
    const key = [input.drvPath, ...input.through].join("!");
    for (const name of [...input.through, ...input.outputs]) checkName(name);
    const known = found.get(key);
    if (known === undefined) found.set(key, { input, outputs: new Set(input.outputs) });
    else for (const output of input.outputs) known.outputs.add(output);
  }
  return [...found]
    .sort(([a], [b]) => compareText(a, b))
    .map(([, { input, outputs }]) => ({
      drvPath: input.drvPath,
      through: input.through,
      outputs: sortedText(outputs),
    }));
}

/** What is wanted of one derivation, as texts have it. */
export interface WantedTree {
  /** Names in byte order. */
  readonly outputs: readonly string[];
  /** By the name of an output that is a derivation, in byte order: what is wanted of that. */
  readonly inner: ReadonlyMap<string, WantedTree>;
}

/** @param nested Those of one derivation. */
export function wantedTree(
  outputs: readonly string[],
  nested: readonly Pick<NestedInput, "through" | "outputs">[],
): WantedTree {
  const inner = sortedText(new Set(nested.map(({ through }) => through[0] as string))).map(
    (head): [string, WantedTree] => {
      const below = nested.filter(({ through }) => through[0] === head);
      const here = below.filter(({ through }) => through.length === 1).flatMap((each) => each.outputs);
      const deeper = below.filter(({ through }) => through.length > 1);
      return [
        head,
        wantedTree(
          here,
          deeper.map((each) => ({ ...each, through: each.through.slice(1) })),
        ),
      ];
    },
  );
  return { outputs: sortedText(new Set(outputs)), inner: new Map(inner) };
}

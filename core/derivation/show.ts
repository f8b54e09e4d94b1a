import { compareText, sortedText } from "../base/index.ts";
import type { Derivation } from "./derivation.ts";
import { type WantedTree, wantedTree } from "./nested-inputs.ts";

/** One derivation as `nix show-derivation` prints it (the value, without the path as key). */
export interface ShownDerivation {
  readonly outputs: Readonly<
    Record<
      string,
      { readonly path?: string; readonly hashAlgo?: string; readonly hash?: string; readonly impure?: true }
    >
  >;
  readonly inputSrcs: readonly string[];
  /** Names of outputs; with outputs of outputs in the form of later versions of Nix. */
  readonly inputDrvs: Readonly<Record<string, readonly string[] | ShownWanted>>;
  readonly system: string;
  readonly builder: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Wanted outputs of a derivation, and by name those of its outputs that are derivations themselves. */
export interface ShownWanted {
  readonly dynamicOutputs: Readonly<Record<string, ShownWanted>>;
  readonly outputs: readonly string[];
}

/**
 * A derivation as plain data for JSON, keys in byte order.
 *
 * Source: Nix 2.8, `nix show-derivation`; outputs of outputs: Nix 2.31, `nix derivation show`.
 */
export function showDerivation(derivation: Derivation): ShownDerivation {
  return {
    outputs: sortedRecord(
      Object.entries(derivation.outputs).map(([name, o]) => [
        name,
        {
          ...(o.path === "" ? {} : { path: o.path }),
          ...(o.hashAlgorithm === "" ? {} : { hashAlgo: o.hashAlgorithm }),
          ...(o.hash === "" ? {} : o.hash === "impure" ? { impure: true as const } : { hash: o.hash }),
        },
      ]),
    ),
    inputSrcs: sortedText(derivation.inputSources),
    inputDrvs: sortedRecord(
      [...derivation.inputDerivations].map(([path, outputs]) => {
        const nested = (derivation.nestedInputs ?? []).filter(({ drvPath }) => drvPath === path);
        return [path, nested.length === 0 ? sortedText(outputs) : showWanted(wantedTree(outputs, nested))];
      }),
    ),
    system: derivation.system,
    builder: derivation.builder,
    args: derivation.args,
    env: sortedRecord(Object.entries(derivation.env)),
  };
}

function showWanted({ outputs, inner }: WantedTree): ShownWanted {
  return {
    dynamicOutputs: Object.fromEntries([...inner].map(([name, wanted]) => [name, showWanted(wanted)])),
    outputs,
  };
}

function sortedRecord<V>(entries: readonly (readonly [string, V])[]): Record<string, V> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareText(a, b)));
}

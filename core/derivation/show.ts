import { compareText, sortedText } from "../base/index.ts";
import type { Derivation } from "./derivation.ts";

/** One derivation as `nix show-derivation` prints it (the value, without the path as key). */
export interface ShownDerivation {
  readonly outputs: Readonly<
    Record<
      string,
      { readonly path?: string; readonly hashAlgo?: string; readonly hash?: string; readonly impure?: true }
    >
  >;
  readonly inputSrcs: readonly string[];
  readonly inputDrvs: Readonly<Record<string, readonly string[]>>;
  readonly system: string;
  readonly builder: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A derivation as plain data for JSON, keys in byte order.
 *
 * Source: Nix 2.8, `nix show-derivation`.
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
    inputDrvs: sortedRecord([...derivation.inputDerivations].map(([path, outputs]) => [path, sortedText(outputs)])),
    system: derivation.system,
    builder: derivation.builder,
    args: derivation.args,
    env: sortedRecord(Object.entries(derivation.env)),
  };
}

function sortedRecord<V>(entries: readonly (readonly [string, V])[]): Record<string, V> {
  return Object.fromEntries([...entries].sort(([a], [b]) => compareText(a, b)));
}

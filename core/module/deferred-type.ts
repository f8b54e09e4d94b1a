import type { Definition } from "./definition.ts";
import type { Module } from "./module.ts";
import type { Defs } from "./namespaces.ts";
import type { OptionType } from "./option-type.ts";
import { isPlainObject } from "./value.ts";

/** What a definition says of a configuration that is evaluated elsewhere. */
export type Deferred = Defs | Module | readonly (Defs | Module)[];

const NAME = "a module, or definitions of another configuration";

/** Modules and literals for another configuration, in the order of merging. */
export const deferredModuleType: OptionType = {
  name: NAME,
  mismatch: (value) => ([value].flat().every(isPlainObject) ? undefined : NAME),
  merge: (_path, definitions) =>
    Object.freeze(
      definitions
        .flatMap((definition) => [definition.value].flat().map((value) => ({ value, definition })))
        .map(({ value, definition }, index) => asModule(value, definition, index)),
    ),
  empty: Object.freeze([]),
};

function asModule(value: unknown, { module, at }: Definition, index: number): Module {
  if ((value as { readonly kind?: unknown }).kind === "module") return value as Module;
  // Behind all modules, like what a machine says itself.
  const key = `~deferred ${module} ${String(index).padStart(4, "0")}`;
  return { kind: "module", key, declaration: undefined, imports: [], rule: undefined, at, literal: value };
}

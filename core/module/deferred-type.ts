import type { Definition } from "./definition.ts";
import type { Module } from "./module.ts";
import type { OptionType } from "./option-type.ts";
import { isPlainObject } from "./value.ts";

const NAME = "a module, or definitions of another configuration";

/** Modules and literals for another configuration, each definition one of them. */
export const deferredModuleType: OptionType = {
  name: NAME,
  mismatch: (value) => (isPlainObject(value) ? undefined : NAME),
  merge: (_path, definitions) => Object.freeze(definitions.map(asModule)),
  empty: Object.freeze([]),
};

function asModule(definition: Definition, index: number): Module {
  const { value, at } = definition;
  if ((value as { readonly kind?: unknown }).kind === "module") return value as Module;
  // Behind all modules, like what a machine says itself.
  const key = `~deferred ${definition.module} ${String(index).padStart(4, "0")}`;
  return { kind: "module", key, declaration: undefined, imports: [], rule: undefined, at, literal: value };
}

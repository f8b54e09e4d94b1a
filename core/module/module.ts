import { CodedError, type SourceLocation, callerLocation, captureCaller } from "../base/index.ts";
import type { Declaration } from "./declare.ts";
import { showValue } from "./value.ts";
import type { Config, Defs, ModuleArguments } from "./namespaces.ts";
import type { OptionGroup, ReadGroup } from "./option-type.ts";

/** What a rule receives. `pkgs` and other arguments come from {@link ModuleArguments}. */
export interface RuleContext<Group extends OptionGroup = OptionGroup> extends ModuleArguments {
  /** The module's own options. */
  readonly cfg: ReadGroup<Group>;
  /** The whole configuration. Reading an option makes the rule run again when it changes. */
  readonly config: Config;
  /** Give values to options; may be called many times, also for options of other modules. */
  readonly define: (definitions: Defs) => void;
  /** Require something of the configuration; all failed requirements are shown together. */
  readonly check: (holds: boolean, message: string, hint?: string) => void;
  /** Tell the user something that does not stop them. */
  readonly warn: (message: string) => void;
}

/** What a module implies, given the configuration. Runs again whenever something it read has changed. */
export type Rule<Group extends OptionGroup = OptionGroup> = (context: RuleContext<Group>) => void;

/** Options and what they imply. */
export interface Module {
  readonly kind: "module";
  /** What it is known by in messages and in the order of list elements, whatever the order of modules. */
  readonly key: string;
  readonly declaration: Declaration | undefined;
  readonly imports: readonly Module[];
  readonly rule: Rule | undefined;
  readonly at: SourceLocation | undefined;
  /** Modules that take no part, by value or by key, with all that only they import. */
  readonly disabledModules?: readonly (Module | string)[];
  /** Definitions without a rule. */
  readonly literal?: unknown;
  /** Options that have another name now, or are gone. */
  readonly formerNames?: readonly FormerName[];
}

/** An option's old name. */
export interface FormerName {
  readonly from: readonly string[];
  /** Where definitions go; `undefined` when the option is gone. */
  readonly to: readonly string[] | undefined;
  /** What a value of the old option is in terms of the new one; for some old names only. */
  readonly convert?: (value: never) => unknown;
  /** What to do instead. */
  readonly advice: string;
}

/** What a module brings along, and what it keeps out. */
export interface ModuleCompany {
  /** Further modules that come along with this one. A fixed list: what a configuration says cannot change it. */
  readonly imports?: readonly Module[];
  /** Modules that take no part, by value or by key, with all that only they import. */
  readonly disabledModules?: readonly (Module | string)[];
}

/** A module without options of its own. */
export interface ModuleHead extends ModuleCompany {
  /** A name for messages, unique among the modules of a system. */
  readonly key: string;
}

/**
 * Make a module: options and a rule, or a head (a key and imports) and perhaps a rule.
 *
 * @param head A declaration, or `{ key, imports }` for a module that declares nothing.
 * @param rule What the options imply. It must depend on its context alone.
 * @param more What comes along with it and what it keeps out.
 * @throws {CodedError} `module.imports-depend` when the imports are a function instead of a list;
 *   `module.not-a-module` when one of them is something else.
 */
export function defineModule<const Group extends OptionGroup = Record<never, never>>(
  head: Declaration<Group> | ModuleHead,
  rule?: Rule<Group>,
  more: ModuleCompany = {},
): Module {
  const declaration = "kind" in head ? head : undefined;
  const own: ModuleCompany = "kind" in head ? {} : head;
  const key = "kind" in head ? head.path.join(".") : head.key;
  const caller = declaration === undefined ? captureCaller(defineModule) : undefined;
  const place = () => (caller === undefined ? declaration?.at : caller());
  const disabledModules = [...(own.disabledModules ?? []), ...(more.disabledModules ?? [])];
  return {
    kind: "module",
    key,
    declaration,
    imports: [own, more].flatMap(({ imports = [] }) => checkModules(imports, `the imports of module "${key}"`, place)),
    rule: rule as Rule | undefined,
    get at() {
      return place();
    },
    ...(disabledModules.length === 0 ? {} : { disabledModules }),
  };
}

/**
 * Check that a list holds modules and nothing else.
 *
 * @throws {CodedError} `module.imports-depend`, `module.not-a-module`
 */
export function checkModules(list: unknown, what: string, place: () => SourceLocation | undefined): readonly Module[] {
  if (typeof list === "function") throw importsDepend(`Cannot take ${what}: found a function`, place());
  if (!Array.isArray(list)) throw notAModule(what, list, place());
  for (const item of list as readonly unknown[]) {
    if ((item as { readonly kind?: unknown } | null | undefined)?.kind !== "module")
      throw notAModule(what, item, place());
  }
  return list as readonly Module[];
}

function notAModule(what: string, found: unknown, at: SourceLocation | undefined): CodedError {
  const hint =
    typeof found === "string"
      ? `Import the file at the top, and name what it exports: import clock from ${JSON.stringify(found)};`
      : found === undefined
        ? "Two files that import each other see the other's export as undefined; let one of them do without."
        : "Make it one: defineModule({ key: … }, ({ define }) => define({ … })).";
  return new CodedError(
    "module.not-a-module",
    `Cannot take ${what}: found ${showValue(found, 60)}, expected a list of modules`,
    {
      at,
      hint,
    },
  );
}

/** The error for modules that a configuration would have to choose before there is one. */
export function importsDepend(found: string, at: SourceLocation | undefined): CodedError {
  return new CodedError(
    "module.imports-depend",
    `${found}, expected a fixed list: which modules there are has to be known before there is a configuration`,
    {
      at,
      hint: "Import the module always, and let its rule begin with: if (!cfg.enable) return;",
    },
  );
}

/**
 * A module that keeps an option's old name working: definitions go to the new name, with a warning that names
 * their place. The old name can be an option or a whole group.
 */
export function renamedOption(from: string, to: string): Module {
  return formerName(
    { from: from.split("."), to: to.split("."), advice: `Use "${to}".` },
    callerLocation(renamedOption),
  );
}

/**
 * Like {@link renamedOption} for an option whose values mean something else now.
 *
 * @param convert What a value of the old option is in terms of the new one.
 */
export function changedOption<Old, New>(from: string, to: string, convert: (value: Old) => New): Module {
  return formerName(
    { from: from.split("."), to: to.split("."), convert, advice: `Use "${to}", which takes other values.` },
    callerLocation(changedOption),
  );
}

/** A module that answers definitions of an option that is gone with advice, a full sentence. */
export function removedOption(from: string, advice: string): Module {
  return formerName({ from: from.split("."), to: undefined, advice }, callerLocation(removedOption));
}

function formerName(former: FormerName, at: SourceLocation | undefined): Module {
  const key = `former name ${former.from.join(".")}`;
  return { kind: "module", key, declaration: undefined, imports: [], rule: undefined, at, formerNames: [former] };
}

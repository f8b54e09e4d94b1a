import { type SourceLocation, callerLocation } from "../base/index.ts";
import type { Declaration } from "./declare.ts";
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
  /** Options that have another name now, or are gone. */
  readonly formerNames?: readonly FormerName[];
}

/** An option's old name. */
export interface FormerName {
  readonly from: readonly string[];
  /** Where definitions go; `undefined` when the option is gone. */
  readonly to: readonly string[] | undefined;
  /** What to do instead, for an option that is gone. */
  readonly advice: string;
}

/** A module without options of its own. */
export interface ModuleHead {
  /** A name for messages, unique among the modules of a system. */
  readonly key: string;
  readonly imports?: readonly Module[];
}

/**
 * Make a module: options and a rule, or a head (a key and imports) and perhaps a rule.
 *
 * @param head A declaration, or `{ key, imports }` for a module that declares nothing.
 * @param rule What the options imply. It must depend on its context alone.
 * @param more Further modules that come along with this one.
 */
export function defineModule<const Group extends OptionGroup = Record<never, never>>(
  head: Declaration<Group> | ModuleHead,
  rule?: Rule<Group>,
  more: { readonly imports?: readonly Module[] } = {},
): Module {
  const declaration = "kind" in head ? head : undefined;
  return {
    kind: "module",
    key: "kind" in head ? head.path.join(".") : head.key,
    declaration,
    imports: [...("kind" in head ? [] : (head.imports ?? [])), ...(more.imports ?? [])],
    rule: rule as Rule | undefined,
    at: declaration?.at ?? callerLocation(defineModule),
  };
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

/** A module that answers definitions of an option that is gone with advice, a full sentence. */
export function removedOption(from: string, advice: string): Module {
  return formerName({ from: from.split("."), to: undefined, advice }, callerLocation(removedOption));
}

function formerName(former: FormerName, at: SourceLocation | undefined): Module {
  const key = `former name ${former.from.join(".")}`;
  return { kind: "module", key, declaration: undefined, imports: [], rule: undefined, at, formerNames: [former] };
}

/** All modules that a list of them brings in, each once. */
export function withImports(modules: readonly Module[]): Module[] {
  const seen = new Set<Module>();
  const visit = (module: Module): void => {
    if (seen.has(module)) return;
    seen.add(module);
    module.imports.forEach(visit);
  };
  modules.forEach(visit);
  return [...seen];
}

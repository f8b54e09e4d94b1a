import { CodedError, type Diagnostic, compareText, didYouMean } from "../base/index.ts";
import { showPlace } from "./definition.ts";
import { type Module, checkModules } from "./module.ts";
import { isUnknownOption } from "./unknown-option.ts";

/** What {@link collectModules} takes. */
export interface CollectModulesOptions {
  readonly modules: readonly Module[];
  /** Modules that take no part whoever brings them, by value or by key. */
  readonly disabledModules?: readonly (Module | string)[];
  readonly at: CodedError["at"] | undefined;
}

/** The modules of a configuration, and those that were kept out. */
export interface ModuleList {
  /** Each once, by key, whatever the order in which they were given. */
  readonly modules: readonly Module[];
  readonly disabled: readonly Module[];
}

/**
 * All modules that a list brings in, without those that are disabled and what only they import.
 *
 * What a disabled module disables stays disabled, so that the order of looking at them does not matter.
 *
 * @throws {CodedError} `module.not-a-module`, `module.imports-depend`; `module.key-taken` when two modules without options
 *   have one key; `module.not-found` when a key to disable is that of no module.
 */
export function collectModules({ modules, disabledModules = [], at }: CollectModulesOptions): ModuleList {
  const everything = reach(
    checkModules(modules, "the modules", () => at),
    () => false,
  );
  const named = [...disabledModules.map((module) => ({ module, by: at }))];
  for (const by of everything) named.push(...(by.disabledModules ?? []).map((module) => ({ module, by: by.at })));
  const disabled = new Set<Module>();
  for (const { module, by } of named) {
    if (typeof module !== "string") disabled.add(module);
    else for (const found of withKey(module, everything, by)) disabled.add(found);
  }
  const kept = disabled.size === 0 ? everything : reach(modules, (module) => disabled.has(module));
  const taken = keysTaken(kept);
  if (taken !== undefined) throw taken;
  return { modules: kept.sort(compareModules), disabled: everything.filter((module) => disabled.has(module)) };
}

/** By key, then by what they declare, so that equal lists are in equal order wherever their files lie. */
function compareModules(a: Module, b: Module): number {
  const names = (module: Module) => Object.keys(module.declaration?.options ?? {}).join(" ");
  return compareText(a.key, b.key) || compareText(names(a), names(b));
}

function reach(modules: readonly Module[], isOut: (module: Module) => boolean): Module[] {
  const seen = new Set<Module>();
  const pending = [...modules].reverse();
  for (let module = pending.pop(); module !== undefined; module = pending.pop()) {
    if (seen.has(module) || isOut(module)) continue;
    seen.add(module);
    pending.push(...module.imports);
  }
  return [...seen];
}

function withKey(key: string, modules: readonly Module[], at: Module["at"]): Module[] {
  const found = modules.filter((module) => module.key === key);
  if (found.length > 0) return found;
  throw new CodedError("module.not-found", `Cannot disable module "${key}": found no module with this key`, {
    at,
    hint: didYouMean(
      key,
      modules.map((module) => module.key),
    ),
  });
}

/** Modules with options share a key when they share a path; a head's key is a name and stands for one module. */
function keysTaken(modules: readonly Module[]): CodedError | undefined {
  const heads = new Map<string, Module>();
  for (const module of modules) {
    if (module.declaration !== undefined) continue;
    const known = heads.get(module.key);
    if (known !== undefined) {
      return new CodedError(
        "module.key-taken",
        `Cannot take module "${module.key}" of ${showPlace(module.at)}: found another one with this key at ${showPlace(known.at)}`,
        {
          at: module.at,
          hint: 'Keys order the elements of lists, so each module needs one of its own, such as "clock in Vienna".',
        },
      );
    }
    heads.set(module.key, module);
  }
  return undefined;
}

/** What else to say about an option that nobody declares: perhaps a disabled module does. */
export function disabledDeclaration(path: string, disabled: readonly Module[]): string | undefined {
  const owner = disabled.find(({ declaration }) => {
    const own = declaration?.path.join(".");
    return (
      own !== undefined && own !== "" && (path === own || path.startsWith(`${own}.`) || own.startsWith(`${path}.`))
    );
  });
  return owner === undefined
    ? undefined
    : `Module "${owner.key}" at ${showPlace(owner.at)} declares it, but is disabled.`;
}

/** A diagnostic with what a disabled module has to do with it. */
export function explainDisabled(diagnostic: Diagnostic, disabled: readonly Module[]): Diagnostic {
  const hint = isUnknownOption(diagnostic) ? disabledDeclaration(diagnostic.option, disabled) : undefined;
  return hint === undefined ? diagnostic : { ...diagnostic, hint };
}

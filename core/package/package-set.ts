import { callerLocation, CodedError, didYouMean, type SourceLocation } from "../base/index.ts";
import type { PackageDefinition } from "./define.ts";
import type { Pkgs } from "./index.ts";
import type { Overlay } from "./overlay.ts";
import { attachNative, attachRemake, type Package } from "./package.ts";

export interface PackageSetOptions {
  /** By name: the file names of `by-name`. A member is looked at once its package is asked for; see `importLazily` of core/flake. */
  readonly definitions: Readonly<Record<string, PackageDefinition>>;
  /** Builders and other things that are no packages, for the finished set. */
  tools(set: Pkgs): Readonly<Record<string, unknown>>;
  /** Applied in order. Default none. */
  readonly overlays?: readonly Overlay[];
  /** Tools of cross sets by their names: the same definitions for other platforms, built on this one's. Default none. */
  readonly cross?: Readonly<Record<string, PackageSetOptions["tools"]>>;
}

/** Where a cross set comes from. */
interface Origin {
  readonly native: Pkgs;
  /** Its name in the native set's `cross`. */
  readonly name: string;
}

type Maker = (scope: Pkgs) => Package;

/**
 * A set of packages and builders in which each member is made on first use, and once.
 *
 * Its own keys are the packages' names; builders are reached by name alone.
 *
 * @throws {CodedError} `package.unknown-override`, `package.already-exists` at the overlay's line. The set itself throws
 *   `package.missing` for a name it does not have and `package.cycle` for packages that need each other.
 */
export function makePackageSet(options: PackageSetOptions): Pkgs {
  return makeSet(options, undefined);
}

function makeSet(options: PackageSetOptions, origin: Origin | undefined): Pkgs {
  const { definitions, tools, overlays = [] } = options;
  const makers = new Map<string, Maker>(Object.keys(definitions).map((name) => [name, makerOf(name, definitions)]));
  for (const overlay of overlays) applyOverlay(makers, overlay, definitions);

  const made = new Map<string, Package>();
  const making: string[] = [];
  const getPackage = (name: string, maker: Maker): Package => {
    let found = made.get(name);
    if (found !== undefined) return found;
    if (making.includes(name)) {
      const chain = [...making.slice(making.indexOf(name)), name].map((link) => `"${link}"`).join(" needs ");
      throw new CodedError("package.cycle", `Cannot make the package "${name}": ${chain}`, {
        at: definitions[name]?.at,
        hint: "Build one of them without the other: take it out of the arguments, or make a small package for the first step.",
      });
    }
    making.push(name);
    try {
      found = maker(set);
      if (origin !== undefined) attachNative(found, () => memberOf(origin.native, name));
    } catch (error) {
      throw atDefinition(error, () => definitions[name]?.at);
    } finally {
      making.pop();
    }
    made.set(name, found);
    return found;
  };

  let toolbox: Readonly<Record<string, unknown>> | undefined;
  const getTool = (name: string): unknown => {
    toolbox ??= tools(set);
    return Object.hasOwn(toolbox, name) ? toolbox[name] : undefined;
  };
  const allNames = (): string[] => [...makers.keys(), ...Object.keys((toolbox ??= tools(set)))];

  const extend: Pkgs["extend"] = (...more) => {
    if (origin === undefined) return makeSet({ ...options, overlays: [...overlays, ...more] }, undefined);
    return (origin.native.extend(...more).cross as Readonly<Record<string, Pkgs>>)[origin.name] as Pkgs;
  };
  const isBuildTool = (name: string): boolean => origin !== undefined && definitions[name]?.isBuildTool === true;
  let listed: readonly string[] | undefined;
  // Which packages of a cross set are build tools their files say.
  const packageNames = (): readonly string[] => (listed ??= [...makers.keys()].filter((name) => !isBuildTool(name)));
  let cross: Readonly<Record<string, Pkgs>> | undefined;
  const relations: Readonly<Record<string, () => unknown>> = {
    extend: () => extend,
    native: () => origin?.native ?? set,
    isCross: () => origin !== undefined,
    cross: () => (cross ??= origin === undefined ? makeCrossSets(options, set) : {}),
  };

  const set = new Proxy(Object.create(null) as object, {
    get(_, name) {
      // What runtimes ask of any value: promises, printing, JSON.
      if (
        typeof name === "symbol" ||
        name === "then" ||
        name === "toJSON" ||
        name === "$$typeof" ||
        name === "constructor"
      )
        return undefined;
      const maker = makers.get(name);
      if (maker !== undefined)
        return isBuildTool(name) ? memberOf((origin as Origin).native, name) : getPackage(name, maker);
      const relation = Object.hasOwn(relations, name) ? relations[name] : undefined;
      if (relation !== undefined) return relation();
      const tool = getTool(name);
      if (tool !== undefined) return tool;
      throw missing(name, allNames(), making.at(-1), definitions);
    },
    has: (_, name) =>
      typeof name === "string" && (makers.has(name) || Object.hasOwn(relations, name) || getTool(name) !== undefined),
    ownKeys: () => [...packageNames()],
    getOwnPropertyDescriptor: (_, name) =>
      typeof name === "string" && makers.has(name) && !isBuildTool(name)
        ? { enumerable: true, configurable: true, get: () => memberOf(set, name) }
        : undefined,
    set: () => false,
    deleteProperty: () => false,
  }) as Pkgs;
  return set;
}

/** The cross sets of a native set, each made on first use. */
function makeCrossSets(options: PackageSetOptions, native: Pkgs): Readonly<Record<string, Pkgs>> {
  const sets = {};
  for (const [name, tools] of Object.entries(options.cross ?? {})) {
    let made: Pkgs | undefined;
    const get = (): Pkgs => (made ??= makeSet({ ...options, tools }, { native, name }));
    Object.defineProperty(sets, name, { enumerable: true, get });
  }
  return sets;
}

function memberOf(set: Pkgs, name: string): Package {
  return (set as unknown as Readonly<Record<string, Package>>)[name] as Package;
}

function applyOverlay(
  makers: Map<string, Maker>,
  overlay: Overlay,
  definitions: PackageSetOptions["definitions"],
): void {
  const names = [...makers.keys()];
  for (const [name, change] of Object.entries(overlay.override)) {
    const below = makers.get(name);
    if (below === undefined) {
      throw new CodedError(
        "package.unknown-override",
        `Cannot override the package "${name}": the set has no package of this name`,
        {
          at: overlay.at,
          hint: didYouMean(name, names) ?? `Name a package of the set, or put "${name}" under "add" when it is new.`,
        },
      );
    }
    makers.set(name, (set) => change(below(set), set));
  }
  for (const [name, maker] of Object.entries(overlay.add)) {
    if (names.includes(name)) {
      throw new CodedError("package.already-exists", `Cannot add the package "${name}": the set has one of this name`, {
        at: overlay.at,
        hint: `Put "${name}" under "override" to replace it.`,
        details: [`defined at ${definitions[name]?.at?.file ?? "an earlier overlay"}`],
      });
    }
    makers.set(name, maker);
  }
}

/** Makes a definition's package, and lets it be made again with other arguments. */
function makerOf(name: string, definitions: PackageSetOptions["definitions"]): Maker {
  return (set) => {
    const definition = definitions[name] as PackageDefinition;
    const taken = new Set<string>();
    const make = (scope: Pkgs): Package => definition.make(scope);
    const made = make(watch(set, taken));
    attachRemake(made, (replacements) => {
      for (const argument of Object.keys(replacements)) {
        if (taken.has(argument)) continue;
        throw new CodedError(
          "package.unknown-argument",
          `Cannot override "${argument}" of the package "${name}": it takes ${[...taken].join(", ")}`,
          {
            at: callerLocation(),
            hint:
              didYouMean(argument, taken) ?? `See ${definition.at?.file ?? "the package's file"} for what it takes.`,
          },
        );
      }
      const scope = replace(set, replacements);
      const again = make(scope);
      attachRemake(again, (more) => made.override({ ...replacements, ...more }));
      return again;
    });
    return made;
  };
}

/** The set, noting which members are asked for. */
function watch(set: Pkgs, taken: Set<string>): Pkgs {
  return new Proxy(set, {
    get(target, name) {
      if (typeof name === "string") taken.add(name);
      return Reflect.get(target, name);
    },
  });
}

function replace(set: Pkgs, replacements: Readonly<Record<string, unknown>>): Pkgs {
  return new Proxy(set, {
    get: (target, name) =>
      typeof name === "string" && Object.hasOwn(replacements, name) ? replacements[name] : Reflect.get(target, name),
  });
}

function missing(
  name: string,
  names: readonly string[],
  asker: string | undefined,
  definitions: PackageSetOptions["definitions"],
): CodedError {
  const at: SourceLocation | undefined =
    asker === undefined ? callerLocation() : (definitions[asker]?.at ?? callerLocation());
  const by = asker === undefined ? "" : `, which "${asker}" takes as an argument`;
  return new CodedError(
    "package.missing",
    `Cannot find the package "${name}"${by}: the set has no package or builder of this name`,
    {
      at,
      hint:
        didYouMean(name, names) ?? "Packages are folders of pkgs/by-name; after adding one, run: node pkgs/generate.ts",
    },
  );
}

/** What a package says of itself is wrong in its own file, and not in that of the builder it calls. */
function atDefinition(error: unknown, place: () => SourceLocation | undefined): unknown {
  if (!(error instanceof CodedError) || error.code !== "package.meta") return error;
  const at = place();
  if (at === undefined) return error;
  const { code, message, hint, details, cause } = error;
  return new CodedError(code, message, { hint, details, cause, at });
}

import { callerLocation, captureCaller, CodedError, type SourceLocation } from "../base/index.ts";
import { derivation, type DerivationOptions, type DerivationValue } from "../derivation/index.ts";
import { type Meta, type MetaAttributes, makeMeta } from "./meta.ts";
import { settle } from "./settle.ts";

/** One package of a set. In a string it is the path of its output. Nothing is instantiated before a path is asked for. */
export interface Package {
  readonly kind: "package";
  /** Name without the version: `curl`. */
  readonly name: string;
  readonly version: string;
  readonly meta: Meta;
  readonly drvPath: string;
  readonly outPath: string;
  /** Paths by output name. */
  readonly outputs: Readonly<Record<string, string>>;
  /**
   * The same definition with other arguments: `curl.override({ zlib: pkgs["zlib-ng"] })`.
   *
   * @throws {CodedError} `package.unknown-argument` for an argument the definition does not take; `package.not-overridable`
   *   for a package that is in no set.
   */
  override(replacements: Readonly<Record<string, unknown>>): Package;
  /**
   * The same package with some attributes changed. `final` has the attributes after all changes, `previous` those before
   * this one. Changes compose in the order they are made.
   *
   * @throws {CodedError} `package.unsettled` when the attributes never come to rest.
   */
  overrideAttrs(change: AttributesChange): Package;
  toString(): string;
}

/** What every package says of itself; builders add their own fields. */
export interface PackageAttributes extends MetaAttributes {
  /** Lower case, as the field calls it. */
  readonly name: string;
  readonly version: string;
}

export type Attributes = Readonly<Record<string, unknown>>;
// biome-ignore lint/suspicious/noExplicitAny: each builder has attributes of its own, and checks the changed ones when it reads them.
export type AttributesChange = (final: any, previous: any) => Attributes;

export interface MakePackageOptions<A extends PackageAttributes> {
  readonly attributes: A;
  /** Turn the final attributes into a derivation. */
  derive(attributes: A): DerivationOptions;
  /** Works out where the package is written. Default the caller; builders pass their own caller's place. */
  readonly place?: () => SourceLocation | undefined;
}

/** How to make a package again with other arguments. */
type Remake = (replacements: Readonly<Record<string, unknown>>) => Package;

interface State {
  readonly options: MakePackageOptions<PackageAttributes>;
  readonly changes: readonly AttributesChange[];
  readonly place: () => SourceLocation | undefined;
  remake?: Remake;
  /** The same package for the platform that builds, where that is another one. */
  native?: () => Package;
}

const states = new WeakMap<Package, State>();

/**
 * Make a package out of attributes and a way to derive them: what every builder function ends with.
 *
 * @throws {CodedError} `package.meta` at the package's own line.
 */
export function makePackage<A extends PackageAttributes>(options: MakePackageOptions<A>): Package {
  // The builder has checked its attributes; from here on only it reads more than the common ones.
  return assemble({
    options: options as unknown as MakePackageOptions<PackageAttributes>,
    changes: [],
    place: options.place ?? captureCaller(makePackage),
  });
}

function assemble(state: State): Package {
  const { options, changes, place } = state;
  const attributes = settle(
    options.attributes as unknown as Attributes,
    changes,
    place,
  ) as unknown as PackageAttributes;
  const { name, version } = attributes;
  const meta = makeMeta(name, attributes, place);
  let made: DerivationValue | undefined;
  const value = (): DerivationValue => {
    made ??= derivation({ at: place, ...options.derive(attributes) });
    return made;
  };
  const self: Package = {
    kind: "package",
    name,
    version,
    meta,
    get drvPath() {
      return value().drvPath;
    },
    get outPath() {
      return value().outPath;
    },
    get outputs() {
      return value().outputs;
    },
    override(replacements) {
      const again = remakeOf(self)(replacements);
      const { native } = state;
      const natives = (): Attributes =>
        Object.fromEntries(Object.entries(replacements).map(([name, value]) => [name, nativeOf(value)]));
      if (native !== undefined) attachNative(again, () => native().override(natives()));
      return again;
    },
    overrideAttrs(change) {
      const { native, ...rest } = state;
      const changed = assemble({ ...rest, changes: [...state.changes, change] });
      if (native !== undefined) attachNative(changed, () => native().overrideAttrs(change));
      return changed;
    },
    toString: () => value().outPath,
  };
  states.set(self, state);
  return self;
}

/** Let a package be made again; the first maker stays, so an alias of a package overrides what it names. */
export function attachRemake(made: Package, remake: Remake): void {
  const state = states.get(made);
  if (state !== undefined) state.remake ??= remake;
}

/** Say which package stands for this one where something runs during a build. As with remaking, the first word counts. */
export function attachNative(made: Package, native: () => Package): void {
  const state = states.get(made);
  if (state !== undefined) state.native ??= native;
}

/**
 * What to use in place of a value where it runs during the build: a package of a cross set becomes the same package of the
 * platform that builds, with the same changes; anything else stays what it is.
 */
export function nativeOf<Value>(value: Value): Value {
  const native = isPackage(value) ? states.get(value)?.native : undefined;
  return native === undefined ? value : (native() as Value);
}

function remakeOf(made: Package): Remake {
  const state = states.get(made);
  const remake = state?.remake;
  if (state === undefined || remake === undefined) {
    throw new CodedError(
      "package.not-overridable",
      `Cannot override the arguments of "${made.name}": it was made outside a package set`,
      {
        at: callerLocation(),
        hint: "Wrap it in definePackage and add it to the set with an overlay.",
      },
    );
  }
  return (replacements) =>
    state.changes.reduce<Package>((next, change) => next.overrideAttrs(change), remake(replacements));
}

/** Whether a value is a package, in any realm's eyes. */
export function isPackage(value: unknown): value is Package {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "package";
}

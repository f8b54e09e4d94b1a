import { type Diagnostic, type SourceLocation, callerLocation, formatLocation } from "../base/index.ts";
import type { DerivationValue } from "../derivation/index.ts";
import type { SourceInput } from "../flake/index.ts";
import {
  type Config,
  type Defs,
  type EvaluatedModules,
  type Module,
  type ModuleArguments,
  type OptionDocumentation,
  defaults,
  defineModule,
  documentOptions,
  evaluateModules,
  withPriority,
} from "../module/index.ts";
import { systemModule } from "./options.ts";
import { recordSources } from "./record-sources.ts";
import { inVariant, specialisationModule } from "./specialisation.ts";
import { makeToplevel } from "./toplevel.ts";
import { FLOE_VERSION } from "./version.ts";

/** The packages that a toplevel needs whatever its modules say. */
export interface SystemPackages {
  readonly coreutils: { toString(): string };
  /** What the system runs on. Default: x86_64-linux, which also builds. */
  readonly platform?: { readonly system: string };
  /** The packages of the platform that builds, where that is another one. Default: these. */
  readonly native?: NativePackages;
  readonly isCross?: boolean;
}

/** What runs while a system is built. */
export interface NativePackages {
  readonly bash: { toString(): string };
  readonly coreutils: { toString(): string };
  readonly platform: { readonly system: string };
}

/** What {@link makeSystem} takes. */
export interface MakeSystemOptions<Pkgs extends SystemPackages> {
  /** The machine's name: names the store path and is the default host name. */
  readonly name: string;
  readonly pkgs: Pkgs;
  readonly modules: readonly Module[];
  /** Modules that take no part, by value or by key, with all that only they import. */
  readonly disabledModules?: readonly (Module | string)[];
  /** What the machine itself says: one literal, or several in order. */
  readonly config: Defs | readonly Defs[];
  /**
   * The inputs of the flake: each generation says then of what commits it was made, for `floe system describe` and
   * `floe time-machine`. Folders have no commits and are left out. Default none.
   */
  readonly inputs?: Readonly<Record<string, SourceInput>>;
}

/** A configured machine. Everything but the name is worked out when it is first asked for. */
export interface System {
  readonly kind: "system";
  readonly name: string;
  readonly config: Config;
  readonly warnings: readonly Diagnostic[];
  /** The store object a generation points to. */
  readonly toplevel: DerivationValue;
  readonly outPath: string;
  readonly drvPath: string;
  /** Path of the kernel image. */
  readonly kernel: string;
  readonly initrd: string;
  readonly kernelParams: readonly string[];
  readonly evaluated: EvaluatedModules;
  /** What its modules say of their options; holds whether or not the configuration can be evaluated. */
  readonly documentation: () => readonly OptionDocumentation[];
  /** Variants of the system by name, each a system of its own. */
  readonly specialisations: Readonly<Record<string, System>>;
  toString(): string;
}

/**
 * Make a machine from modules and its own configuration.
 *
 * @throws {CodedError} on first use of the result: those of `evaluateModules`, and `activation.*`, `etc.*`.
 */
export function makeSystem<Pkgs extends SystemPackages>(options: MakeSystemOptions<Pkgs>): System {
  return makeVariant(options, callerLocation(makeSystem), undefined);
}

function makeVariant<Pkgs extends SystemPackages>(
  options: MakeSystemOptions<Pkgs>,
  at: SourceLocation | undefined,
  variant: string | undefined,
): System {
  const { name, pkgs, disabledModules } = options;
  const own: readonly Defs[] = Array.isArray(options.config) ? options.config : [options.config as Defs];
  const modules = once(() => [
    systemModule,
    specialisationModule,
    nameModule(name, variant, pkgs.platform),
    ...options.modules,
  ]);
  const evaluated = once(() =>
    evaluateModules({
      modules: modules(),
      config: own,
      at,
      ...(disabledModules === undefined ? {} : { disabledModules }),
      ...({ pkgs } as unknown as Partial<ModuleArguments>),
    }),
  );
  const specialisations = once(() =>
    Object.fromEntries(
      Object.entries(evaluated().config.specialisation).map(([inner, { configuration, inheritParent }]) => {
        // A variant of a variant would never end, since each inherits those of its parent.
        const none: Defs = { specialisation: withPriority(0, {}) };
        const inherited = [...(inheritParent ? own : []), none];
        const extended = [...options.modules, ...configuration];
        return [inner, makeVariant({ ...options, modules: extended, config: inherited }, at, inner)];
      }),
    ),
  );
  const toplevel = once(() => {
    const { config } = evaluated();
    const variants = Object.entries(specialisations()).map(([inner, system]) =>
      inVariant(inner, () => [inner, { toplevel: system.outPath, system: system.config.system }] as const),
    );
    const native = pkgs.isCross === true ? pkgs.native : undefined;
    return makeToplevel({
      system: config.system,
      builders: {
        platform: native?.platform.system ?? config.system.platform,
        bash: native?.bash ?? config.system.build.shell,
        coreutils: (native ?? pkgs).coreutils,
      },
      floeVersion: FLOE_VERSION,
      specialisations: Object.fromEntries(variants),
      sources: recordSources(options.inputs ?? {}),
    });
  });
  return {
    kind: "system",
    name,
    get config() {
      return evaluated().config;
    },
    get warnings() {
      return withoutRepeats([
        ...evaluated().warnings,
        ...Object.values(specialisations()).flatMap(({ warnings }) => warnings),
      ]);
    },
    get evaluated() {
      return evaluated();
    },
    documentation: () => documentOptions(modules(), disabledModules),
    get specialisations() {
      return specialisations();
    },
    get toplevel() {
      return toplevel();
    },
    get outPath() {
      return toplevel().outPath;
    },
    get drvPath() {
      return toplevel().drvPath;
    },
    get kernel() {
      return evaluated().config.system.build.kernel;
    },
    get initrd() {
      return evaluated().config.system.build.initrd;
    },
    get kernelParams() {
      return evaluated().config.system.build.kernelParams;
    },
    toString: () => toplevel().outPath,
  };
}

/** A variant gives most of its parent's warnings again. */
function withoutRepeats(warnings: readonly Diagnostic[]): Diagnostic[] {
  const seen = new Map(
    warnings.map((warning) => [
      `${warning.at === undefined ? "" : formatLocation(warning.at)} ${warning.message}`,
      warning,
    ]),
  );
  return [...seen.values()];
}

/** The machine's name and platform, unless its configuration says otherwise. */
function nameModule(name: string, variant: string | undefined, platform: SystemPackages["platform"]): Module {
  const suffix = variant === undefined ? "" : ` (${variant})`;
  return defineModule({ key: "machine name" }, ({ config, define }) => {
    define({ system: { name: defaults(name) } });
    if (platform !== undefined) define({ system: { platform: defaults(platform.system) } });
    define({ system: { label: defaults(`Floe ${config.system.name}${suffix}`) } });
  });
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

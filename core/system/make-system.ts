import { type Diagnostic, callerLocation } from "../base/index.ts";
import type { DerivationValue } from "../derivation/index.ts";
import {
  type Config,
  type Defs,
  type EvaluatedModules,
  type Module,
  type ModuleArguments,
  defaults,
  defineModule,
  evaluateModules,
} from "../module/index.ts";
import { systemModule } from "./options.ts";
import { makeToplevel } from "./toplevel.ts";
import { FLOE_VERSION } from "./version.ts";

/** The packages that a toplevel needs whatever its modules say. */
export interface SystemPackages {
  readonly coreutils: { toString(): string };
}

/** What {@link makeSystem} takes. */
export interface MakeSystemOptions<Pkgs extends SystemPackages> {
  /** The machine's name: names the store path and is the default host name. */
  readonly name: string;
  readonly pkgs: Pkgs;
  readonly modules: readonly Module[];
  /** What the machine itself says: one literal, or several in order. */
  readonly config: Defs | readonly Defs[];
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
  toString(): string;
}

/**
 * Make a machine from modules and its own configuration.
 *
 * @throws {CodedError} on first use of the result: those of `evaluateModules`, and `activation.*`, `etc.*`.
 */
export function makeSystem<Pkgs extends SystemPackages>(options: MakeSystemOptions<Pkgs>): System {
  const at = callerLocation(makeSystem);
  const { name, pkgs } = options;
  const evaluated = once(() => {
    const own = Array.isArray(options.config) ? options.config : [options.config];
    return evaluateModules({
      modules: [systemModule, nameModule(name), ...options.modules],
      config: own,
      at,
      ...({ pkgs } as unknown as Partial<ModuleArguments>),
    });
  });
  const toplevel = once(() =>
    makeToplevel({ system: evaluated().config.system, coreutils: pkgs.coreutils, floeVersion: FLOE_VERSION }),
  );
  return {
    kind: "system",
    name,
    get config() {
      return evaluated().config;
    },
    get warnings() {
      return evaluated().warnings;
    },
    get evaluated() {
      return evaluated();
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

/** The machine's name, unless its configuration says otherwise. */
function nameModule(name: string): Module {
  return defineModule({ key: "machine name" }, ({ config, define }) => {
    define({ system: { name: defaults(name) } });
    define({ system: { label: defaults(`Floe ${config.system.name}`) } });
  });
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

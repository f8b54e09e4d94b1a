import { callerLocation } from "#floe/base";
import { makePackage, type Package, type PackageAttributes, type Pkgs } from "#floe/package";

/** A package whose build is one script that takes everything from its environment; below stdenv nothing else exists. */
export interface ScriptPackage extends PackageAttributes {
  /** Program that runs the script, and what it is told before it. Default the seed's bash. */
  readonly interpreter?: readonly string[];
  /** The script, a local source. */
  readonly script: { toString(): string };
  /** Its variables. */
  readonly env: Readonly<Record<string, unknown>>;
}

/** Make a {@link ScriptPackage} for the platform of the set. */
export function scriptPackage(pkgs: Pick<Pkgs, "platform" | "seed">, attributes: ScriptPackage): Package {
  return makePackage({
    attributes,
    at: callerLocation(scriptPackage),
    derive({ name, version, interpreter, script, env }) {
      const [builder, ...before] = interpreter ?? [`${pkgs.seed}/bin/bash`];
      // The seed's own derivation has no shell to offer yet.
      const shell = interpreter === undefined ? { seed: pkgs.seed, sandboxShell: `${pkgs.seed}/bin/sh` } : {};
      return {
        name: `${name}-${version}`,
        system: pkgs.platform.system,
        builder: builder as string,
        args: [...before, script],
        env: { ...shell, version, ...env },
      };
    },
  });
}

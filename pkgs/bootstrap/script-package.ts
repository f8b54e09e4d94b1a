import { captureCaller } from "#floe/base";
import { local } from "#floe/derivation";
import { makePackage, type Package, type PackageAttributes, type Pkgs } from "#floe/package";

/** A package whose build is one script that takes everything from its environment; below stdenv nothing else exists. */
export interface ScriptPackage extends PackageAttributes {
  /** Program that runs the script, and what it is told before it. Default the seed's bash. */
  readonly interpreter?: readonly string[];
  /** The script, a local source. */
  readonly script: { toString(): string };
  /** Its variables. */
  readonly env: Readonly<Record<string, unknown>>;
  /**
   * What the script says for x86_64, and what it has to say for the platform of a cross set instead. Each text has to be there, the
   * earlier ones go first.
   */
  readonly crossWords?: Readonly<Record<string, string>>;
}

const RETARGET = local("../build-side/retarget.sh");

/** Make a {@link ScriptPackage} for the platform of the set. */
export function scriptPackage(pkgs: Pick<Pkgs, "native" | "isCross" | "seed">, attributes: ScriptPackage): Package {
  return makePackage({
    attributes,
    place: captureCaller(scriptPackage),
    derive({ name, version, interpreter, script, env, crossWords = {} }) {
      const [builder, ...before] = interpreter ?? [`${pkgs.seed}/bin/bash`];
      // The seed's own derivation has no shell to offer yet.
      const shell = interpreter === undefined ? { seed: pkgs.seed, sandboxShell: `${pkgs.seed}/bin/sh` } : {};
      const words = pkgs.isCross ? Object.entries(crossWords).flat() : [];
      return {
        name: `${name}-${version}`,
        system: pkgs.native.platform.system,
        builder: builder as string,
        args: [...before, words.length === 0 ? script : RETARGET],
        env: { ...shell, version, ...env, ...(words.length === 0 ? {} : { script, words: words.join("\n") }) },
      };
    },
  });
}

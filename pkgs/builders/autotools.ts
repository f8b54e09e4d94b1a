import { captureCaller } from "#floe/base";
import { makePackage, type Package, type Pkgs } from "#floe/package";
import { deriveStdenv, type StdenvAttributes } from "./stdenv.ts";

export interface AutotoolsAttributes extends StdenvAttributes {
  /** Make the configure script first, for sources that come without one. Default false. */
  readonly autoreconf?: boolean;
}

/** Builds with `./configure`, `make` and `make install`. */
export type AutotoolsBuilder = (attributes: AutotoolsAttributes) => Package;

/** The autotools builder of a set. */
export function makeAutotools(pkgs: Pkgs): AutotoolsBuilder {
  return function autotools(attributes) {
    return makePackage({
      attributes,
      place: captureCaller(autotools),
      derive(final) {
        const { autoreconf = false, nativeInputs = [], configure } = final;
        const machines = `--build=${pkgs.native.platform.triple}${pkgs.isCross ? ` --host=${pkgs.platform.triple}` : ""}`;
        const commands = `withFlags "$configureFlags" ./configure --prefix="$out" ${machines}`;
        return deriveStdenv(pkgs, {
          ...final,
          nativeInputs: autoreconf ? [...nativeInputs, pkgs["seed-autotools"]] : nativeInputs,
          configureFlags: final.configureFlags ?? [],
          configure: configure ?? (autoreconf ? `autoreconf -fi\n${commands}` : commands),
        });
      },
    });
  };
}

import { captureCaller } from "#floe/base";
import { makePackage, type Package, type Pkgs } from "#floe/package";
import { shellWords } from "./flags.ts";
import { deriveStdenv, type StdenvAttributes } from "./stdenv.ts";

export interface MesonAttributes extends StdenvAttributes {
  /** Options of the project by name, passed as `-Dname=value`. */
  readonly mesonOptions?: Readonly<Record<string, string | boolean | number | { toString(): string }>>;
}

/** Builds with meson and ninja, in `$top/build`. */
export type MesonBuilder = (attributes: MesonAttributes) => Package;

/** The meson builder of a set. */
export function makeMeson(pkgs: Pkgs): MesonBuilder {
  return function meson(attributes) {
    return makePackage({
      attributes,
      place: captureCaller(meson),
      derive(final) {
        const crossFile = pkgs.isCross ? ' --cross-file "$top/cross.ini"' : "";
        const options = Object.entries(final.mesonOptions ?? {}).map(([name, value]) => `-D${name}=${value}`);
        return deriveStdenv(pkgs, {
          ...final,
          configure:
            final.configure ??
            `withFlags "$configureFlags $mesonFlags" meson setup "$top/build" --prefix="$out" --libdir=lib --sbindir=bin --buildtype=release --wrap-mode=nodownload${crossFile}`,
          configureFlags: final.configureFlags ?? [],
          build: final.build ?? 'ninja -C "$top/build" -j"$jobs"',
          // Files for places outside the package, such as /etc, are kept as examples.
          install: final.install ?? INSTALL,
          env: { mesonFlags: shellWords(options), ...final.env },
        });
      },
    });
  };
}

const INSTALL = `
DESTDIR=$top/destination meson install -C "$top/build" --no-rebuild --quiet
mkdir -p "$out"
cp -a "$top/destination$out/." "$out/"
rm -rf "$top/destination$NIX_STORE"
find "$top/destination" -type d -empty -delete
if [ -e "$top/destination" ]; then
  mkdir -p "$out/share/example"
  cp -a "$top/destination/." "$out/share/example/"
fi
`;

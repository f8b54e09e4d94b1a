import { captureCaller } from "#floe/base";
import { type DerivationOptions, local } from "#floe/derivation";
import { makePackage, nativeOf, type Package, type PackageAttributes, type Pkgs } from "#floe/package";
import { shellWords } from "./flags.ts";

/** Anything that is a store path, or a path below one, in a string. */
export type PathLike = string | { toString(): string };

/** What `stdenv` and the builders over it take besides the descriptive fields. Commands are for bash; see `setup.sh`. */
export interface StdenvAttributes extends PackageAttributes {
  /** Source archive or tree. Default none: the build starts in an empty directory. */
  readonly source?: PathLike;
  /** Directory of the unpacked source to work in. Default its top. */
  readonly sourceRoot?: string;
  /** Applied with `patch -p1`. */
  readonly patches?: readonly PathLike[];
  /** Packages whose programs run during the build: in a cross set those of the platform that builds. */
  readonly nativeInputs?: readonly PathLike[];
  /** Packages to compile and link against. */
  readonly inputs?: readonly PathLike[];
  /** Commands that replace the phase of this name. */
  readonly unpack?: string;
  readonly configure?: string;
  readonly build?: string;
  readonly install?: string;
  /** Commands before or after the phase of this name. */
  readonly postUnpack?: string;
  readonly postPatch?: string;
  readonly preConfigure?: string;
  readonly postConfigure?: string;
  readonly preBuild?: string;
  readonly postBuild?: string;
  readonly preInstall?: string;
  readonly postInstall?: string;
  readonly preFixup?: string;
  readonly postFixup?: string;
  /** Commands that run what was built, with the package's `bin` first on the PATH; the build fails when they do. */
  readonly check: string;
  readonly configureFlags?: readonly unknown[];
  readonly makeFlags?: readonly unknown[];
  readonly buildFlags?: readonly unknown[];
  readonly installFlags?: readonly unknown[];
  /** Further variables of the build. */
  readonly env?: Readonly<Record<string, unknown>>;
  /** Link programs without shared libraries. Default false. */
  readonly static?: boolean;
  /** Leave symbols for debuggers in. Default false. */
  readonly dontStrip?: boolean;
  /** Keep manuals and translations. Default false. */
  readonly keepDocumentation?: boolean;
  /** Interpreter for installed bash scripts. Default `/bin/sh`. */
  readonly runtimeShell?: PathLike;
}

/** Makes a package by the phases of `setup.sh`. */
export type StdenvBuilder = (attributes: StdenvAttributes) => Package;

/** The general builder of a set. */
export function makeStdenv(pkgs: Pkgs): StdenvBuilder {
  return function stdenv(attributes) {
    return makePackage({ attributes, place: captureCaller(stdenv), derive: (final) => deriveStdenv(pkgs, final) });
  };
}

const SETUP = local("../build-side/setup.sh");
const SETUP_CROSS = local("../build-side/setup-cross.sh");

/** The derivation of a package that is built in phases. */
export function deriveStdenv(pkgs: Pkgs, attributes: StdenvAttributes): DerivationOptions {
  const { seed, cc, platform, native, isCross } = pkgs;
  const {
    name,
    version,
    check,
    source,
    patches,
    nativeInputs,
    inputs,
    configureFlags,
    makeFlags,
    buildFlags,
    installFlags,
  } = attributes;
  const { unpack, configure, build, install, postUnpack, postPatch, preConfigure, postConfigure, preBuild, postBuild } =
    attributes;
  const { preInstall, postInstall, preFixup, postFixup, sourceRoot, dontStrip, keepDocumentation, runtimeShell } =
    attributes;
  const flags = (list: readonly unknown[] | undefined): string | undefined =>
    list === undefined ? undefined : shellWords(list);
  return {
    name: `${name}-${version}`,
    system: native.platform.system,
    builder: `${seed}/bin/bash`,
    args: [SETUP],
    env: {
      seed,
      cc,
      sandboxShell: `${seed}/bin/sh`,
      // What ships must not hold on to the toolchain, directly or through a dependency.
      disallowedRequisites: [
        seed,
        pkgs["seed-libc"],
        pkgs["seed-cc"],
        cc,
        ...(isCross ? [pkgs["seed-cross-aarch64"]] : []),
      ],
      pname: name,
      version,
      src: source,
      sourceRoot,
      patches,
      nativeBuildInputs: nativeInputs?.map(nativeOf),
      buildInputs: inputs,
      unpackPhase: unpack,
      configurePhase: configure,
      buildPhase: build,
      installPhase: install,
      postUnpack,
      postPatch,
      preConfigure,
      postConfigure,
      preBuild,
      postBuild,
      preInstall,
      postInstall,
      preFixup,
      postFixup,
      configureFlags: flags(configureFlags),
      makeFlags: flags(makeFlags),
      buildFlags: flags(buildFlags),
      installFlags: flags(installFlags),
      check,
      dontStrip: dontStrip || undefined,
      keepDocumentation: keepDocumentation || undefined,
      runtimeShell,
      NIX_STATIC: attributes.static || undefined,
      ...(isCross
        ? { preUnpack: `. ${SETUP_CROSS}`, crossTarget: platform.triple, crossProcessor: platform.processor }
        : {}),
      ...attributes.env,
    },
  };
}

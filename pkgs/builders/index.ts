import { fetchUrl, type Platform, type Pkgs } from "#floe/package";
import { type AutotoolsBuilder, makeAutotools } from "./autotools.ts";
import { type DevShellBuilder, makeDevShell } from "./dev-shell.ts";
import { makeMeson, type MesonBuilder } from "./meson.ts";
import { makeRunProgram, type RunProgram } from "./run-program.ts";
import { makeRunCommand, makeWriteScript, makeWriteText, type RunCommand, type WriteText } from "./small.ts";
import { makeStdenv, type StdenvBuilder } from "./stdenv.ts";

export type { AutotoolsAttributes } from "./autotools.ts";
export type { DevShellAttributes } from "./dev-shell.ts";
export type { MesonAttributes } from "./meson.ts";
export type { RunProgramAttributes } from "./run-program.ts";
export type { StdenvAttributes } from "./stdenv.ts";

/** What a set has besides packages. */
interface Builders {
  /** Builds by phases whose commands the package gives; without any it runs `make` and `make install`. */
  readonly stdenv: StdenvBuilder;
  readonly autotools: AutotoolsBuilder;
  readonly meson: MesonBuilder;
  /** Builds with a makefile alone. */
  readonly make: StdenvBuilder;
  readonly devShell: DevShellBuilder;
  readonly runCommand: RunCommand;
  readonly runProgram: RunProgram;
  readonly writeText: WriteText;
  readonly writeScript: WriteText;
  /** What the names of the compiler's programs begin with: nothing, or in a cross set `aarch64-linux-gnu-`. */
  readonly toolPrefix: string;
  /** The same packages for other platforms, built on this one's. */
  readonly cross: { readonly aarch64: Pkgs };
}

declare module "#floe/package" {
  interface Pkgs extends Builders {}
}

/** The builders of a set, taking their toolchain from it. */
export function makeBuilders(
  pkgs: Pkgs,
  platform: Platform,
): Omit<Builders, "cross"> & Pick<Pkgs, "platform" | "fetchUrl"> {
  const stdenv = makeStdenv(pkgs);
  return {
    platform,
    toolPrefix: pkgs.isCross ? `${platform.triple}-` : "",
    fetchUrl,
    stdenv,
    make: stdenv,
    autotools: makeAutotools(pkgs),
    meson: makeMeson(pkgs),
    devShell: makeDevShell(pkgs),
    runCommand: makeRunCommand(pkgs),
    runProgram: makeRunProgram(pkgs),
    writeText: makeWriteText(pkgs),
    writeScript: makeWriteScript(pkgs),
  };
}

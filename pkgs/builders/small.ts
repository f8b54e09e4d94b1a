import { captureCaller } from "#floe/base";
import { derivation, type DerivationValue } from "#floe/derivation";
import { nativeOf, type Pkgs } from "#floe/package";

/**
 * Runs bash commands with the toolchain's programs and those of `nativeBuildInputs`; what they write to `$out` is the
 * result, and must not refer to the toolchain.
 */
export type RunCommand = (name: string, env: Readonly<Record<string, unknown>>, commands: string) => DerivationValue;

/** A file with this content, which may name paths of other packages. */
export type WriteText = (name: string, text: string) => DerivationValue;

const RUN = `set -eu
umask 022
export PATH= SHELL=$seed/bin/bash LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=1
for input in \${nativeBuildInputs:-}; do PATH+=$input/bin:; done
PATH+=$seed/bin
. "$commandsPath"
`;

export function makeRunCommand(pkgs: Pkgs): RunCommand {
  return function runCommand(name, env, commands) {
    const at = captureCaller(runCommand);
    const { seed, native } = pkgs;
    const { nativeBuildInputs } = env;
    return derivation({
      name,
      at,
      system: native.platform.system,
      builder: `${seed}/bin/bash`,
      args: ["-c", RUN],
      env: {
        seed,
        sandboxShell: `${seed}/bin/sh`,
        disallowedReferences: seed,
        ...env,
        ...(nativeBuildInputs === undefined ? {} : { nativeBuildInputs: [nativeBuildInputs].flat().map(nativeOf) }),
        commands,
        passAsFile: ["commands"],
      },
    });
  };
}

/** `mode` as chmod takes it. Busybox alone does it: a text needs no toolchain, and big systems have many texts. */
function makeWrite(pkgs: Pkgs, mode: string): WriteText {
  return function write(name, text) {
    const at = captureCaller(write);
    const busybox = pkgs["seed-busybox"];
    return derivation({
      name,
      at,
      system: pkgs.native.platform.system,
      builder: `${busybox}/bin/busybox`,
      args: ["sh", "-c", `"$busybox" cp "$textPath" "$out"; "$busybox" chmod ${mode} "$out"`],
      env: { busybox: `${busybox}/bin/busybox`, text, passAsFile: ["text"], preferLocalBuild: true },
    });
  };
}

export function makeWriteText(pkgs: Pkgs): WriteText {
  return makeWrite(pkgs, "444");
}

/** As {@link makeWriteText}, executable. The text has to begin with an interpreter line. */
export function makeWriteScript(pkgs: Pkgs): WriteText {
  return makeWrite(pkgs, "555");
}

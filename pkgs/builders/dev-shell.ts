import { captureCaller } from "#floe/base";
import { derivation, type DerivationValue } from "#floe/derivation";
import type { Pkgs } from "#floe/package";

export interface DevShellAttributes {
  /** Default `dev-shell`. */
  readonly name?: string;
  /** Packages whose programs are there, the first ones first. Default none. */
  readonly packages?: readonly { toString(): string }[];
  /** Variables that are set. Default none. */
  readonly env?: Readonly<Record<string, { toString(): string }>>;
  /** Commands for sh, run whenever somebody enters. Default none. */
  readonly hook?: string;
}

/** An environment to work in: its `bin/enter` runs a command in it, and a shell without one. `floe develop` calls that. */
export type DevShellBuilder = (attributes: DevShellAttributes) => DerivationValue;

const WRITE = `"$busybox" mkdir -p "$out/bin"; "$busybox" cp "$textPath" "$out/bin/enter"; "$busybox" chmod 555 "$out/bin/enter"`;

export function makeDevShell(pkgs: Pkgs): DevShellBuilder {
  return function devShell({ name = "dev-shell", packages = [], env = {}, hook = "" }) {
    const at = captureCaller(devShell);
    const busybox = pkgs["seed-busybox"];
    const path = packages.map((each) => `${each}/bin`).join(":");
    const lines = [
      "#!/bin/sh",
      ...(path === "" ? [] : [`export PATH=${quote(path)}"\${PATH:+:$PATH}"`]),
      ...Object.entries(env).map(([variable, value]) => `export ${variable}=${quote(`${value}`)}`),
      `export FLOE_DEV_SHELL=${quote(name)}`,
      hook,
      `if [ $# -eq 0 ]; then exec "\${SHELL:-/bin/sh}"; fi`,
      `exec "$@"`,
    ];
    return derivation({
      name,
      at,
      system: pkgs.native.platform.system,
      builder: `${busybox}/bin/busybox`,
      args: ["sh", "-c", WRITE],
      env: {
        busybox: `${busybox}/bin/busybox`,
        text: `${lines.filter((line) => line !== "").join("\n")}\n`,
        passAsFile: ["text"],
        preferLocalBuild: true,
      },
    });
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

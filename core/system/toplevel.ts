import { type DerivationValue, derivation } from "../derivation/index.ts";
import { SELF, formatActivationScript } from "./activation-script.ts";
import { formatBootSpec } from "./switch/index.ts";
import { formatInit } from "./init-script.ts";
import type { SystemOptions } from "./options.ts";

/** What {@link makeToplevel} takes. */
export interface ToplevelOptions {
  readonly system: SystemOptions;
  readonly coreutils: { toString(): string };
  /** The version of Floe that described the system. */
  readonly floeVersion: string;
}

/**
 * The store object a generation points to.
 *
 * Shape: `init`, `activate`, `kernel`, `initrd`, `kernel-params`, `etc`, `etc-links`, `etc-entries`, `sw`, `systemd`, `boot.json`,
 * `init-interface-version`, `system`, `name`, `floe-version`.
 */
export function makeToplevel({ system, coreutils, floeVersion }: ToplevelOptions): DerivationValue {
  const { build } = system;
  const programs = {
    init: formatInit({ shell: build.shell, path: build.path, init: build.init }),
    activate: formatActivationScript({ shell: build.shell, path: build.path, snippets: system.activationScripts }),
  };
  const texts = {
    "kernel-params": `${build.kernelParams.join(" ")}\n`,
    "etc-entries": build.etcEntries.map((line) => `${line}\n`).join(""),
    "boot.json": formatBootSpec({
      kernel: build.kernel,
      initrd: build.initrd,
      init: `${SELF}/init`,
      kernelParams: build.kernelParams,
      label: system.label,
      system: system.platform,
      toplevel: SELF,
    }),
    "init-interface-version": "systemd 1\n",
    system: `${system.platform}\n`,
    name: `${system.name}\n`,
    "floe-version": `${floeVersion}\n`,
  };
  const links = {
    kernel: build.kernel,
    initrd: build.initrd,
    etc: build.etc,
    "etc-links": build.etcLinks,
    sw: build.sw,
    systemd: build.manager,
  };
  return derivation({
    name: `floe-system-${system.name}`,
    system: system.platform,
    builder: `${build.shell}/bin/bash`,
    args: ["-euc", BUILD],
    structuredAttrs: { programs, texts, links, bin: `${coreutils}/bin` },
  });
}

// The toplevel's own path is known only here, hence the replacement; bash's own quoting keeps "&" literal.
const BUILD = `source "$NIX_ATTRS_SH_FILE"
out=\${outputs[out]}
"$bin/mkdir" "$out"
for name in "\${!programs[@]}"; do printf '%s' "\${programs[$name]//"${SELF}"/"$out"}" > "$out/$name"; "$bin/chmod" 0555 "$out/$name"; done
for name in "\${!texts[@]}"; do printf '%s' "\${texts[$name]//"${SELF}"/"$out"}" > "$out/$name"; done
for name in "\${!links[@]}"; do "$bin/ln" -s "\${links[$name]}" "$out/$name"; done
`;

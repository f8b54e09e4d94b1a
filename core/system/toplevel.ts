import { type DerivationValue, derivation } from "../derivation/index.ts";
import { SELF, formatActivationScript } from "./activation-script.ts";
import { type BootSpec, formatBootSpec, formatSources, SOURCES_FILE, type SourceRecord } from "./switch/index.ts";
import { formatInit } from "./init-script.ts";
import type { SystemOptions } from "./options.ts";

/** What {@link makeToplevel} takes. */
export interface ToplevelOptions {
  readonly system: SystemOptions;
  /** What runs during the build, and where. */
  readonly builders: {
    readonly platform: string;
    readonly bash: { toString(): string };
    readonly coreutils: { toString(): string };
  };
  /** The version of Floe that described the system. */
  readonly floeVersion: string;
  /** Variants by name, with their store paths. */
  readonly specialisations?: Readonly<Record<string, Variant>>;
  /** Of what the system was made; an empty record is not written. */
  readonly sources?: SourceRecord;
}

/** A variant of a system, which is a system of its own. */
export interface Variant {
  readonly toplevel: string;
  readonly system: SystemOptions;
}

/**
 * The store object a generation points to.
 *
 * Shape: `init`, `activate`, `kernel`, `initrd`, `kernel-params`, `etc`, `etc-links`, `etc-entries`, `sw`, `systemd`, `boot.json`,
 * `init-interface-version`, `system`, `name`, `floe-version`, `specialisation/<name>` for each variant, and `sources.json` where
 * the flake names its inputs.
 */
export function makeToplevel(options: ToplevelOptions): DerivationValue {
  const { system, builders, floeVersion, specialisations = {}, sources = {} } = options;
  const { build } = system;
  const variants = Object.entries(specialisations);
  const programs = {
    init: formatInit({ shell: build.shell, path: build.path, init: build.init }),
    activate: formatActivationScript({ shell: build.shell, path: build.path, snippets: system.activationScripts }),
  };
  const texts = {
    "kernel-params": `${build.kernelParams.join(" ")}\n`,
    "etc-entries": build.etcEntries.map((line) => `${line}\n`).join(""),
    "boot.json": formatBootSpec({
      ...bootSpec(system, SELF),
      ...(variants.length === 0
        ? {}
        : {
            specialisations: Object.fromEntries(
              variants.map(([name, variant]) => [name, bootSpec(variant.system, variant.toplevel)]),
            ),
          }),
    }),
    "init-interface-version": "systemd 1\n",
    system: `${system.platform}\n`,
    name: `${system.name}\n`,
    "floe-version": `${floeVersion}\n`,
    ...(Object.keys(sources).length === 0 ? {} : { [SOURCES_FILE]: formatSources(sources) }),
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
    system: builders.platform,
    builder: `${builders.bash}/bin/bash`,
    args: ["-euc", variants.length === 0 ? BUILD : `${BUILD}${BUILD_VARIANTS}`],
    structuredAttrs: {
      programs,
      texts,
      links,
      bin: `${builders.coreutils}/bin`,
      ...(variants.length === 0
        ? {}
        : { variants: Object.fromEntries(variants.map(([name, { toplevel }]) => [name, toplevel])) }),
    },
  });
}

function bootSpec({ build, label, platform }: SystemOptions, toplevel: string): BootSpec {
  const { kernel, initrd, kernelParams } = build;
  return { kernel, initrd, init: `${toplevel}/init`, kernelParams, label, system: platform, toplevel };
}

// The toplevel's own path is known only here, hence the replacement; bash's own quoting keeps "&" literal.
const BUILD = `source "$NIX_ATTRS_SH_FILE"
out=\${outputs[out]}
"$bin/mkdir" "$out"
for name in "\${!programs[@]}"; do printf '%s' "\${programs[$name]//"${SELF}"/"$out"}" > "$out/$name"; "$bin/chmod" 0555 "$out/$name"; done
for name in "\${!texts[@]}"; do printf '%s' "\${texts[$name]//"${SELF}"/"$out"}" > "$out/$name"; done
for name in "\${!links[@]}"; do "$bin/ln" -s "\${links[$name]}" "$out/$name"; done
`;

const BUILD_VARIANTS = `"$bin/mkdir" "$out/specialisation"
for name in "\${!variants[@]}"; do "$bin/ln" -s "\${variants[$name]}" "$out/specialisation/$name"; done
`;

import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { formatUnit } from "./unit-text.ts";
import { section } from "./unit-options.ts";

const options = declare("systemd", {
  settings: option.attrsOf(section, {
    description: "Sections of /etc/systemd/system.conf.",
    example: { Manager: { DefaultTimeoutStopSec: "10s" } },
  }),
});

export interface SystemdManager extends Read<typeof options> {}
export interface SystemdManagerDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface SystemdConfig extends SystemdManager {}
  interface SystemdDefs extends SystemdManagerDefs {}
}

const PROGRAMS = "/run/current-system/sw/bin";

/**
 * Units of systemd that a system made from store paths has no use for: they keep state below /usr, set up what
 * activation has set up, or need hardware or kernel parts that we leave out. `sysinit.target` wants most of them.
 */
const NOT_NEEDED = [
  "ldconfig.service",
  "systemd-firstboot.service",
  "systemd-homed.service",
  "systemd-hwdb-update.service",
  "systemd-journal-catalog-update.service",
  "systemd-machine-id-commit.service",
  "systemd-sysusers.service",
  "systemd-update-done.service",
  "systemd-update-utmp.service",
  "systemd-vconsole-setup.service",
  "systemd-pcrphase.service",
  "systemd-pcrphase-sysinit.service",
  "systemd-pcrmachine.service",
  "systemd-tpm2-setup.service",
  "systemd-tpm2-setup-early.service",
  "systemd-binfmt.service",
  "proc-sys-fs-binfmt_misc.automount",
  "dev-hugepages.mount",
  "dev-mqueue.mount",
  "sys-kernel-debug.mount",
  "sys-kernel-tracing.mount",
  "sys-kernel-config.mount",
  "sys-fs-fuse-connections.mount",
  "kmod-static-nodes.service",
  "systemd-network-generator.service",
  "systemd-ask-password-console.path",
  "systemd-ask-password-wall.path",
];

export default defineModule(options, ({ cfg, pkgs, define }) => {
  define({ system: { build: { manager: pkgs.systemd, init: `${pkgs.systemd}/lib/systemd/systemd` } } });
  define({
    systemd: {
      maskedUnits: NOT_NEEDED,
      settings: {
        Manager: {
          // Units have no PATH of their own otherwise, and the one compiled in names folders that do not exist.
          DefaultEnvironment: `PATH=${PROGRAMS}`,
          ManagerEnvironment: `PATH=${PROGRAMS}`,
        },
      },
      services: {
        // As systemd has it, with the programs where they are.
        "modprobe@": {
          description: "Load Kernel Module %i",
          before: ["sysinit.target"],
          unitConfig: { DefaultDependencies: false, ConditionCapability: "CAP_SYS_MODULE", StartLimitIntervalSec: 0 },
          serviceConfig: { Type: "oneshot", ExecStart: `-${pkgs.kmod}/bin/modprobe -abq %i` },
        },
      },
    },
  });
  define({ environment: { etc: { "systemd/system.conf": { text: formatUnit(cfg.settings) } } } });
  // Looks for partitions to mount on /usr, which does not exist.
  define({ environment: { etc: { "systemd/system-generators/systemd-gpt-auto-generator": { source: "/dev/null" } } } });
  define({ environment: { systemPackages: [pkgs.systemd] } });
});

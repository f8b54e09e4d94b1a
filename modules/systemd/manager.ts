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
  "systemd-creds.socket",
  "systemd-hostnamed.socket",
  "systemd-networkd-persistent-storage.service",
  // The initial RAM disk has mounted the root as it shall be.
  "systemd-remount-fs.service",
  // Device nodes beyond those of the kernel would come from tmpfiles, whose rules for /dev we do not have.
  "systemd-tmpfiles-setup-dev-early.service",
  "systemd-tmpfiles-setup-dev.service",
  "systemd-udev-load-credentials.service",
  "systemd-ask-password-wall.path",
];

/** Generators that look for what we declare otherwise, or do not have. Each is a process before the first unit starts. */
const NO_GENERATORS = [
  "systemd-debug-generator",
  "systemd-getty-generator",
  // Looks for partitions to mount on /usr, which does not exist.
  "systemd-gpt-auto-generator",
  "systemd-run-generator",
  "systemd-ssh-generator",
  "systemd-system-update-generator",
  "systemd-tpm2-generator",
];

export default defineModule(options, ({ cfg, pkgs, define }) => {
  define({ system: { build: { manager: pkgs.systemd, init: `${pkgs.systemd}/lib/systemd/systemd` } } });
  define({
    systemd: {
      maskedUnits: NOT_NEEDED,
      settings: {
        Manager: {
          // Units have no PATH of their own otherwise, and the one compiled in names folders that do not exist.
          DefaultEnvironment: [`PATH=${PROGRAMS}`],
          ManagerEnvironment: [`PATH=${PROGRAMS}`],
        },
      },
      services: {
        // As systemd has it, with the programs where they are.
        "modprobe@": {
          description: "Load Kernel Module %i",
          before: ["sysinit.target"],
          unitConfig: {
            DefaultDependencies: false,
            ConditionCapability: "CAP_SYS_MODULE",
            ConditionPathExists: "/run/booted-system/kernel-modules",
            StartLimitIntervalSec: 0,
          },
          serviceConfig: { Type: "oneshot", ExecStart: `-${pkgs.kmod}/bin/modprobe -abq %i` },
        },
      },
    },
  });
  define({ environment: { etc: { "systemd/system.conf": { text: formatUnit(cfg.settings) } } } });
  for (const name of NO_GENERATORS) {
    define({ environment: { etc: { [`systemd/system-generators/${name}`]: { source: "/dev/null" } } } });
  }
  define({ environment: { systemPackages: [pkgs.systemd] } });
});

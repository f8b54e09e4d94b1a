import { type Read, type Write, declare, defineModule, option } from "#floe/module";

const options = declare("services.udev", {
  packageRules: option.listOf(option.str(), {
    description: "Rule files of systemd to use, by name.",
  }),
  coldplug: option.listOf(option.str(), {
    description:
      "Kernel subsystems whose devices are announced at boot. Default: all, which costs a process or two per device.",
    example: ["block", "net", "tty"],
  }),
  extraRules: option.lines({ description: "Rules of the system itself: /etc/udev/rules.d/99-local.rules." }),
});

export interface Udev extends Read<typeof options> {}
export interface UdevDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly udev: Udev;
  }
  interface ServicesDefs {
    udev?: UdevDefs | undefined;
  }
}

/** Owners and modes of devices, links by disk, and the tag by which devices become units. */
const BASE = [
  "50-udev-default.rules",
  "60-block.rules",
  "60-persistent-storage.rules",
  "60-serial.rules",
  "99-systemd.rules",
];

export default defineModule(options, ({ cfg, pkgs, define }) => {
  define({ services: { udev: { packageRules: BASE } } });
  for (const name of cfg.packageRules) {
    define({
      environment: { etc: { [`udev/rules.d/${name}`]: { source: `${pkgs.systemd}/lib/udev/rules.d/${name}` } } },
    });
  }
  if (cfg.coldplug.length > 0) {
    const matches = cfg.coldplug.map((name) => `--subsystem-match=${name}`).join(" ");
    define({
      systemd: {
        services: {
          "systemd-udev-trigger": {
            overrides: true,
            onChange: "ignore",
            // The empty one takes back that of the package.
            serviceConfig: {
              ExecStart: ["", `-${pkgs.systemd}/bin/udevadm trigger --type=devices --action=add ${matches}`],
            },
          },
        },
      },
    });
  }
  if (cfg.extraRules !== "")
    define({ environment: { etc: { "udev/rules.d/99-local.rules": { text: cfg.extraRules } } } });
});

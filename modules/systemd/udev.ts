import { type Read, type Write, declare, defineModule, option } from "#floe/module";

const options = declare("services.udev", {
  packageRules: option.listOf(option.str(), {
    description: "Rule files of systemd to use, by name.",
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
  if (cfg.extraRules !== "")
    define({ environment: { etc: { "udev/rules.d/99-local.rules": { text: cfg.extraRules } } } });
});

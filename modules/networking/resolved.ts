import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { followSettings } from "../systemd/follow-settings.ts";
import { section } from "../systemd/unit-options.ts";
import { formatUnit } from "../systemd/unit-text.ts";

const options = declare("services.resolved", {
  enable: option.bool({
    default: false,
    description: "Resolve names by the servers that DHCP brings, for programs that ask /etc/resolv.conf.",
  }),
  settings: option.attrsOf(section, { description: "Sections of /etc/systemd/resolved.conf." }),
});

export interface Resolved extends Read<typeof options> {}
export interface ResolvedDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly resolved: Resolved;
  }
  interface ServicesDefs {
    resolved?: ResolvedDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, config, pkgs, define, check }) => {
  if (!cfg.enable) return;
  check(
    config.networking.nameservers.length === 0,
    `Cannot write /etc/resolv.conf twice: found both networking.nameservers and services.resolved, expected one of them`,
  );
  const text = formatUnit(cfg.settings);
  define({ systemd: { services: { "systemd-resolved": followSettings(text, "reload") } } });
  define({
    environment: {
      etc: {
        "resolv.conf": { source: "/run/systemd/resolve/stub-resolv.conf" },
        "systemd/resolved.conf": { text },
      },
    },
  });
  const unit = "systemd-resolved.service";
  define({ systemd: { packageUnits: { [unit]: { package: pkgs.systemd, wantedBy: ["multi-user.target"] } } } });
});

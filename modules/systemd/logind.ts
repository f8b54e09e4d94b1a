import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { followSettings } from "./follow-settings.ts";
import { formatUnit } from "./unit-text.ts";
import { section } from "./unit-options.ts";

const options = declare("services.logind", {
  enable: option.bool({ default: true, description: "Keep track of users' sessions." }),
  settings: option.attrsOf(section, { description: "Sections of /etc/systemd/logind.conf." }),
});

export interface Logind extends Read<typeof options> {}
export interface LogindDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly logind: Logind;
  }
  interface ServicesDefs {
    logind?: LogindDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define }) => {
  if (!cfg.enable) {
    // The package itself lets multi-user.target want it.
    define({ systemd: { maskedUnits: ["systemd-logind.service"] } });
    return;
  }
  const text = formatUnit(cfg.settings);
  define({ environment: { etc: { "systemd/logind.conf": { text } } } });
  define({ systemd: { services: { "systemd-logind": followSettings(text, "reload") } } });
  define({
    systemd: {
      packageUnits: { "systemd-logind.service": { package: pkgs.systemd, wantedBy: ["multi-user.target"] } },
    },
  });
});

import { type Read, type Write, declare, defineModule, option } from "#floe/module";

const options = declare("time", {
  zone: option.str({
    default: "UTC",
    description: "The time zone as TZ has it; without zone data only `UTC` and offsets such as `CET-1` are known.",
  }),
  synchronise: option.bool({ default: false, description: "Ask time servers for the time." }),
});

export interface Time extends Read<typeof options> {}
export interface TimeDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface Config {
    readonly time: Time;
  }
  interface Defs {
    time?: TimeDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define }) => {
  if (cfg.zone !== "UTC") {
    define({ environment: { variables: { TZ: cfg.zone } } });
    define({ systemd: { settings: { Manager: { DefaultEnvironment: [`TZ=${cfg.zone}`] } } } });
  }
  if (!cfg.synchronise) return;
  const unit = "systemd-timesyncd.service";
  define({ systemd: { packageUnits: { [unit]: { package: pkgs.systemd, wantedBy: ["sysinit.target"] } } } });
});

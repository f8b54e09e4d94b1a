import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { makeProgramTree } from "#floe/system";
import { buildersOf } from "../builders-of.ts";

const options = declare("environment", {
  systemPackages: option.listOf(option.package(), {
    description: "Packages whose programs are in /run/current-system/sw/bin, and so on everybody's PATH.",
  }),
});

export interface EnvironmentPackages extends Read<typeof options> {}
export interface EnvironmentPackagesDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface EnvironmentConfig extends EnvironmentPackages {}
  interface EnvironmentDefs extends EnvironmentPackagesDefs {}
  interface Config {
    readonly environment: EnvironmentConfig;
  }
  interface Defs {
    environment?: EnvironmentDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define }) => {
  const packages = cfg.systemPackages;
  define({ system: { build: { sw: makeProgramTree({ ...buildersOf(pkgs), packages }) } } });
});

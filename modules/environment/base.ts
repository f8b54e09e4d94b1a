import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { FLOE_VERSION } from "#floe/system";

const options = declare("environment", {
  variables: option.attrsOf(option.str(), { description: "Variables of login shells: /etc/profile." }),
});

export interface EnvironmentVariables extends Read<typeof options> {}
export interface EnvironmentVariablesDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface EnvironmentConfig extends EnvironmentVariables {}
  interface EnvironmentDefs extends EnvironmentVariablesDefs {}
}

const PROGRAMS = "/run/current-system/sw/bin";

export default defineModule(options, ({ cfg, pkgs, define }) => {
  const { bash, coreutils, findutils, floe, glibc, gnugrep, gnused, iproute2, kmod } = pkgs;
  // Of the programs of the C library the one that looks names up is for everybody.
  const getent = pkgs.runCommand("getent", {}, `mkdir -p "$out/bin"; ln -s ${glibc}/bin/getent "$out/bin/getent"`);
  define({
    environment: {
      systemPackages: [bash, coreutils, findutils, floe, getent, gnugrep, gnused, iproute2, kmod, pkgs["util-linux"]],
    },
  });
  define({ environment: { variables: { PATH: PROGRAMS, LANG: "C.UTF-8", PAGER: "cat", SYSTEMD_PAGER: "cat" } } });
  const variables = Object.entries(cfg.variables).map(
    ([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`,
  );
  define({
    environment: {
      etc: {
        "os-release": {
          text: `NAME="Floe"\nID=floe\nVERSION_ID=${FLOE_VERSION}\nPRETTY_NAME="Floe ${FLOE_VERSION}"\n`,
        },
        "nsswitch.conf": { text: "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n" },
        shells: { text: `${PROGRAMS}/bash\n/bin/sh\n` },
        profile: { text: `${variables.join("")}PS1='\\u@\\h:\\w\\$ '\n` },
      },
    },
  });
});

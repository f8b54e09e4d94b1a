import { local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
import { makeSystem } from "#floe/system";
import { modules } from "./modules/index.ts";
import { makePkgs } from "./pkgs/index.ts";
import boot from "./vm-tests/boot.ts";
import bashAgent from "./vm-tests/bash-agent.ts";
import bootMenu from "./vm-tests/boot-menu.ts";
import machineApi from "./vm-tests/machine-api.ts";
import network from "./vm-tests/network.ts";
import copies from "./vm-tests/copies.ts";
import powerCut from "./vm-tests/power-cut.ts";
import rollback from "./vm-tests/rollback.ts";
import nginx from "./vm-tests/services/nginx.ts";
import postgresql from "./vm-tests/services/postgresql.ts";
import specialisation from "./vm-tests/specialisation.ts";
import screen from "./vm-tests/screen.ts";
import sleep from "./vm-tests/sleep.ts";
import storePowerCut from "./vm-tests/store-power-cut.ts";
import switching from "./vm-tests/switch.ts";
import uefi from "./vm-tests/uefi.ts";

const pkgs = makePkgs({ platform: "x86_64-linux" });

const WELCOME = "Build it with: floe build .    Check it with: floe flake check";

export default defineFlake({
  description: "Floe: packages, modules, systems and machine tests",
  inputs: {
    /** The pages that the system `web` serves: content that moves on its own. */
    pages: { url: "path:./vm-tests/pages", flake: false },
  },
  outputs({ inputs }) {
    /** A machine that serves the pages of the input on port 80. */
    const makeWeb = (set: typeof pkgs) =>
      makeSystem({
        name: "web",
        pkgs: set,
        modules,
        config: {
          services: {
            nginx: { enable: true, virtualHosts: { localhost: { root: `${inputs.pages}`, default: true } } },
          },
        },
      });
    const web = makeWeb(pkgs);
    return {
      packages: { "x86_64-linux": pkgs, "aarch64-linux": pkgs.cross.aarch64 },
      modules,
      systems: { web, "web-aarch64": makeWeb(pkgs.cross.aarch64) },
      vmTests: {
        "bash-agent": bashAgent,
        boot,
        "boot-menu": bootMenu,
        copies,
        "machine-api": machineApi,
        network,
        nginx,
        postgresql,
        "power-cut": powerCut,
        rollback,
        screen,
        sleep,
        specialisation,
        "store-power-cut": storePowerCut,
        switch: switching,
        uefi,
      },
      templates: {
        default: {
          path: local("./templates/package"),
          description: "A package in C, with its check",
          welcome: WELCOME,
        },
        package: {
          path: local("./templates/package"),
          description: "A package in C, with its check",
          welcome: WELCOME,
        },
        system: {
          path: local("./templates/system"),
          description: "A machine that serves a page",
          welcome: "Build the machine with: floe system build .",
        },
        module: {
          path: local("./templates/module"),
          description: "A module with options, and a machine to try it on",
          welcome: WELCOME,
        },
        program: {
          path: local("./templates/program"),
          description: "A builder in TypeScript, with what it imports",
          welcome: WELCOME,
        },
        "dev-shell": {
          path: local("./templates/dev-shell"),
          description: "An environment to work in",
          welcome: "Enter it with: floe develop",
        },
      },
      checks: {
        "x86_64-linux": {
          get hello() {
            return pkgs.hello;
          },
          get web() {
            return web.toplevel;
          },
        },
      },
    };
  },
});

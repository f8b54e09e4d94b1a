import { local } from "#floe/derivation";
import { defineFlake, importLazily } from "#floe/flake";
import { makeSystem } from "#floe/system";
import type { VmTest } from "#floe/vm-test";
import { modules } from "./modules/index.ts";
import { makePkgs } from "./pkgs/index.ts";

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
      vmTests: importLazily<VmTest>({
        "bash-agent": "./vm-tests/bash-agent.ts",
        boot: "./vm-tests/boot.ts",
        "boot-menu": "./vm-tests/boot-menu.ts",
        copies: "./vm-tests/copies.ts",
        "machine-api": "./vm-tests/machine-api.ts",
        network: "./vm-tests/network.ts",
        nginx: "./vm-tests/services/nginx.ts",
        postgresql: "./vm-tests/services/postgresql.ts",
        "power-cut": "./vm-tests/power-cut.ts",
        rollback: "./vm-tests/rollback.ts",
        screen: "./vm-tests/screen.ts",
        sleep: "./vm-tests/sleep.ts",
        specialisation: "./vm-tests/specialisation.ts",
        "store-power-cut": "./vm-tests/store-power-cut.ts",
        switch: "./vm-tests/switch.ts",
        uefi: "./vm-tests/uefi.ts",
      }),
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

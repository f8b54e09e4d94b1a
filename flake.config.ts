import { defineFlake } from "#floe/flake";
import { makeSystem } from "#floe/system";
import { modules } from "./modules/index.ts";
import { makePkgs } from "./pkgs/index.ts";
import boot from "./vm-tests/boot.ts";
import powerCut from "./vm-tests/power-cut.ts";
import rollback from "./vm-tests/rollback.ts";
import nginx from "./vm-tests/services/nginx.ts";
import storePowerCut from "./vm-tests/store-power-cut.ts";
import switching from "./vm-tests/switch.ts";

const pkgs = makePkgs({ platform: "x86_64-linux" });

export default defineFlake({
  description: "Floe: packages, modules, systems and machine tests",
  inputs: {
    /** The pages that the system `web` serves: content that moves on its own. */
    pages: { url: "path:./vm-tests/pages", flake: false },
  },
  outputs({ inputs }) {
    /** A machine that serves the pages of the input on port 80. */
    const web = makeSystem({
      name: "web",
      pkgs,
      modules,
      config: {
        services: { nginx: { enable: true, virtualHosts: { localhost: { root: `${inputs.pages}`, default: true } } } },
      },
    });
    return {
      packages: { "x86_64-linux": pkgs },
      modules,
      systems: { web },
      vmTests: { boot, nginx, "power-cut": powerCut, rollback, "store-power-cut": storePowerCut, switch: switching },
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

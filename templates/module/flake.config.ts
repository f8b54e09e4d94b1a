import { defineFlake } from "#floe/flake";
import { makeSystem } from "#floe/system";
import motd from "./motd.ts";

export default defineFlake({
  description: "A module",
  inputs: {
    floe: "path:../..",
  },
  outputs({ inputs }) {
    const pkgs = inputs.floe.packages["x86_64-linux"];
    /** A machine that the module is tried on. */
    const example = makeSystem({
      name: "example",
      pkgs,
      modules: [...inputs.floe.modules, motd],
      config: { services: { motd: { enable: true, greeting: "Welcome" } } },
    });
    return {
      modules: { default: motd },
      systems: { example },
      packages: {
        "x86_64-linux": {
          // What the module makes of the example, without the rest of the machine.
          get default() {
            return pkgs.writeText("motd", example.config.environment.etc["motd"]?.text ?? "");
          },
        },
      },
    };
  },
});

import { local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
import { makeSystem } from "#floe/system";

export default defineFlake({
  description: "A machine",
  inputs: {
    floe: "path:../..",
  },
  outputs({ inputs }) {
    const machine = makeSystem({
      name: "machine",
      pkgs: inputs.floe.packages["x86_64-linux"],
      modules: inputs.floe.modules,
      inputs,
      config: {
        services: {
          nginx: { enable: true, virtualHosts: { localhost: { root: `${local("./pages")}`, default: true } } },
        },
      },
    });
    return {
      systems: { default: machine },
    };
  },
});

import { defineFlake } from "#floe/flake";

export default defineFlake({
  description: "An environment to work in",
  inputs: {
    floe: "path:../..",
  },
  outputs({ inputs }) {
    const pkgs = inputs.floe.packages["x86_64-linux"];
    return {
      devShells: {
        "x86_64-linux": {
          // Enter it with `floe develop`, or run one command in it: floe develop -c hello
          default: pkgs.devShell({
            packages: [pkgs.hello],
            env: { GREETING: "hi" },
          }),
        },
      },
    };
  },
});

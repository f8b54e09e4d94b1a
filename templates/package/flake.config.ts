import { local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";

export default defineFlake({
  description: "A package",
  inputs: {
    floe: "path:../..",
  },
  outputs({ inputs }) {
    const pkgs = inputs.floe.packages["x86_64-linux"];
    const greeting = pkgs.stdenv({
      name: "greeting",
      version: "0.1.0",
      summary: "Program that prints a greeting",
      homepage: "https://greeting.example",
      license: "MIT",
      source: local("./src"),
      build: "gcc -O2 -Wall -Wextra -o greeting greeting.c",
      install: 'install -D -m 755 greeting "$out/bin/greeting"',
      // Runs what was built; the build fails when this does.
      check: '[ "$(greeting)" = "Hello from a package" ]',
    });
    return {
      packages: { "x86_64-linux": { default: greeting } },
      apps: { "x86_64-linux": { default: { type: "app", program: `${greeting}/bin/greeting` } } },
      checks: { "x86_64-linux": { greeting } },
    };
  },
});

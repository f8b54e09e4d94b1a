import { local } from "#floe/derivation";
import { defineFlake } from "#floe/flake";
import { nativeOf } from "#floe/package";
import pages from "./pages.build.ts";

export default defineFlake({
  description: "Pages, made by a program in TypeScript",
  inputs: {
    floe: "path:../..",
  },
  outputs({ inputs }) {
    const pkgs = inputs.floe.packages["x86_64-linux"];
    return {
      packages: {
        "x86_64-linux": {
          default: pkgs.runProgram(pages, {
            name: "pages",
            // What the program runs is that of the machine that builds, also where the pages are for another one.
            inputs: { texts: local("./texts"), coreutils: nativeOf(pkgs.coreutils) },
          }),
        },
      },
    };
  },
});

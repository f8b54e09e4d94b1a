import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../../../bootstrap/pins.ts";
import { scriptPackage } from "../../../bootstrap/script-package.ts";
import { SEED_X86_64 } from "../../../bootstrap/seed.x86_64.ts";
import { seedAddition } from "../../../bootstrap/seed-addition.ts";

/** Build tools from the seed: no machine carries them. */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "fat-tools",
    version: "1",
    summary: "Programs that make images of FAT, for builds",
    homepage: "https://www.debian.org",
    license: "GPL-3.0-or-later",
    platforms: ["x86_64-linux"],
    interpreter: [`${pkgs["seed-busybox"]}/bin/busybox`, "sh"],
    script: local("../../../build-side/unpack-seed.sh"),
    env: {
      ...seedAddition(pkgs),
      debs: SEED_X86_64.fatTools.map(fetchPin),
    },
  }),
);

import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../../../bootstrap/pins.ts";
import { scriptPackage } from "../../../bootstrap/script-package.ts";
import { SEED_X86_64 } from "../../../bootstrap/seed.x86_64.ts";
import { seedAddition } from "../../../bootstrap/seed-addition.ts";

/** The machine that machine tests run in, for builds: from the seed, since no machine carries it. */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "qemu",
    version: "7.2",
    summary: "Emulator of whole machines, and tools for their disks",
    homepage: "https://www.qemu.org",
    license: "GPL-2.0-only",
    platforms: ["x86_64-linux"],
    interpreter: [`${pkgs["seed-busybox"]}/bin/busybox`, "sh"],
    script: local("../../../build-side/unpack-seed.sh"),
    env: { ...seedAddition(pkgs), debs: SEED_X86_64.qemu.map(fetchPin) },
  }),
);

import { local } from "#floe/derivation";
import { defineBuildTool } from "#floe/package";
import { fetchPin } from "../../../bootstrap/pins.ts";
import { scriptPackage } from "../../../bootstrap/script-package.ts";
import { SEED_X86_64 } from "../../../bootstrap/seed.x86_64.ts";

/**
 * The firmware of machines under test: from the seed, since no system carries it.
 *
 * Shape: `PROCESSOR.fd`, each a program and an empty store of variables in one, as QEMU's `-bios` takes it.
 */
export default defineBuildTool((pkgs) =>
  scriptPackage(pkgs, {
    name: "uefi-firmware",
    version: "2022.11",
    summary: "UEFI for QEMU's machines of x86_64 and aarch64",
    homepage: "https://github.com/tianocore/tianocore.github.io/wiki/EDK-II",
    license: "BSD-2-Clause-Patent",
    platforms: ["x86_64-linux"],
    interpreter: [`${pkgs["seed-busybox"]}/bin/busybox`, "sh"],
    script: local("./unpack.sh"),
    env: { busybox: pkgs["seed-busybox"], debs: SEED_X86_64.firmware.map(fetchPin) },
  }),
);

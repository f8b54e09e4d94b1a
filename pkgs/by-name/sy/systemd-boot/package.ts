import { definePackage } from "#floe/package";
import { fetchPin } from "../../../bootstrap/pins.ts";
import { SEED_X86_64 } from "../../../bootstrap/seed.x86_64.ts";
import { SOURCES } from "../../../sources.ts";
import { FEATURES, FIND_INTERPRETERS, PLACES } from "../systemd/options.ts";

/** What UEFI calls processors in names of files. */
const UEFI_NAMES: Readonly<Record<string, string>> = { x86_64: "x64", aarch64: "aa64" };

/** The boot menu alone, so that a change to it builds nothing else anew: everything depends on systemd. */
export default definePackage(({ meson, fetchUrl, libcap, libxcrypt, platform, "util-linux": utilLinux }) => {
  const file = `systemd-boot${UEFI_NAMES[platform.processor] ?? ""}.efi`;
  return meson({
    name: "systemd-boot",
    version: SOURCES.systemd.version,
    summary: "Boot menu for UEFI",
    homepage: "https://systemd.io",
    license: "LGPL-2.1-or-later",
    source: fetchUrl(SOURCES.systemd),
    // For questions that are asked before anything is built.
    inputs: [libcap, utilLinux, libxcrypt],
    mesonOptions: { ...FEATURES, ...PLACES, kmod: "disabled", efi: true, bootloader: "enabled", "sbat-distro": "" },
    postPatch: FIND_INTERPRETERS,
    // It makes programs for UEFI of those for Linux.
    preConfigure: `
      mkdir "$top/elftools"
      ar p ${SEED_X86_64.elftools.map(fetchPin)} data.tar.xz | tar -xJ -C "$top/elftools"
      export PYTHONPATH=$top/elftools/usr/lib/python3/dist-packages
    `,
    build: `ninja -C "$top/build" -j"$jobs" src/boot/${file}`,
    install: `install -D -m 444 "$top/build/src/boot/${file}" "$out/lib/systemd/boot/efi/${file}"`,
    check: `objdump -f "$out/lib/systemd/boot/efi/${file}" | grep -F pei-x86-64`,
  });
});

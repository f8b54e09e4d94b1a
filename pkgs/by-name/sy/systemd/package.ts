import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";
import { FEATURES, FIND_INTERPRETERS, PLACES } from "./options.ts";

/** Its programs bring the library along, so that it is found at run time; a cross build asks each file by itself. */
const CORE_FINDS_SHARED = `  patchelf --add-rpath "$out/lib/systemd" "$out"/lib/systemd/libsystemd-core-*.so
    `;

export default definePackage(
  ({ meson, fetchUrl, zlib, libcap, libxcrypt, kmod, bash, isCross, "util-linux": utilLinux }) =>
    meson({
      name: "systemd",
      version: SOURCES.systemd.version,
      summary: "System and service manager",
      homepage: "https://systemd.io",
      license: "LGPL-2.1-or-later AND GPL-2.0-or-later",
      source: fetchUrl(SOURCES.systemd),
      inputs: [zlib, libcap, utilLinux, kmod, libxcrypt],
      configureFlags: ["--sysconfdir=/etc", "--localstatedir=/var", "--libexecdir=lib/systemd"],
      mesonOptions: {
        ...FEATURES,
        ...PLACES,
        "kmod-path": `${kmod}/bin/kmod`,
        "mount-path": `${utilLinux}/bin/mount`,
        "umount-path": `${utilLinux}/bin/umount`,
        "sulogin-path": `${utilLinux}/bin/sulogin`,
        "nologin-path": `${utilLinux}/bin/nologin`,
        "debug-shell": `${bash}/bin/bash`,
        "default-user-shell": `${bash}/bin/bash`,
      },
      postPatch: FIND_INTERPRETERS,
      // Units name programs without a directory where /usr/bin is meant, and /sbin for programs of other packages.
      postInstall: `
      programs='systemd-[a-z-]+|systemctl|journalctl|udevadm|networkctl|resolvectl|timedatectl'
      for unit in "$out"/lib/systemd/system/*.service "$out"/lib/systemd/user/*.service; do
        [ -f "$unit" ] && [ ! -L "$unit" ] || continue
        sed -i -E "
          s#^(Exec[A-Za-z]*=[-@:+!|]*)($programs)( |\\$)#\\\\1$out/bin/\\\\2\\\\3#
          s#^(Exec[A-Za-z]*=[-@:+!|]*)/sbin/(modprobe|depmod)#\\\\1${kmod}/bin/\\\\2#
          s#^(Exec[A-Za-z]*=[-@:+!|]*)/sbin/(agetty|sulogin)#\\\\1${utilLinux}/bin/\\\\2#
        " "$unit"
      done
    `,
      // It opens this library by name when there is a module to load.
      postFixup: `
      patchelf --add-rpath ${kmod}/lib "$out"/lib/systemd/libsystemd-shared-*.so
    ${isCross ? CORE_FINDS_SHARED : ""}`,
      check: `
      systemctl --version | grep -F "systemd $(echo "$version" | cut -d. -f1)"
      SYSTEMD_LOG_TARGET=console systemd-analyze calendar daily | grep -F 'Normalized form'
      mkdir -p units
      printf '[Service]\\nExecStart=${bash}/bin/bash\\n' > units/a.service
      [ -x "$out/lib/systemd/systemd" ] && "$out/lib/systemd/systemd" --version | grep -F +BLKID
    `,
    }),
);

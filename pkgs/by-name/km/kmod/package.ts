import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ meson, fetchUrl, zlib }) =>
  meson({
    name: "kmod",
    version: SOURCES.kmod.version,
    summary: "Programs and library to handle kernel modules",
    homepage: "https://git.kernel.org/pub/scm/utils/kernel/kmod/kmod.git/",
    license: "LGPL-2.1-or-later AND GPL-2.0-or-later",
    mainProgram: "kmod",
    source: fetchUrl(SOURCES.kmod),
    inputs: [zlib],
    mesonOptions: {
      manpages: false,
      docs: false,
      "build-tests": false,
      bashcompletiondir: "no",
      zshcompletiondir: "no",
      fishcompletiondir: "no",
      zstd: "disabled",
      xz: "disabled",
      zlib: "enabled",
      openssl: "disabled",
      sysconfdir: "/etc",
      moduledir: "/lib/modules",
      distconfdir: "/lib",
    },
    check: 'kmod --version | grep -F "kmod version 34"',
  }),
);

import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "coreutils",
    version: SOURCES.coreutils.version,
    summary: "Basic file, shell and text manipulation programs of GNU",
    homepage: "https://www.gnu.org/software/coreutils/",
    license: "GPL-3.0-or-later",
    source: fetchUrl(SOURCES.coreutils),
    configureFlags: [
      "--disable-nls",
      "--disable-acl",
      "--disable-xattr",
      "--disable-libcap",
      "--without-selinux",
      "--without-openssl",
      "--without-libgmp",
      // One program under many names is a tenth of the size of a hundred programs.
      "--enable-single-binary=symlinks",
      "--enable-no-install-program=stdbuf",
    ],
    makeFlags: ["MAKEINFO=true"],
    env: { CFLAGS: "-O2 -g0" },
    // Manuals newer than the programs keep make from running help2man.
    preBuild: "touch man/*.1",
    check: `
      printf 'b\\na\\n' | sort | head -n 1 | grep -Fx a
      ls --version | grep -F "$version"
    `,
  }),
);

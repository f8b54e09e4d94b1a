import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "findutils",
    version: SOURCES.findutils.version,
    summary: "GNU find and xargs",
    homepage: "https://www.gnu.org/software/findutils/",
    license: "GPL-3.0-or-later",
    mainProgram: "find",
    source: fetchUrl(SOURCES.findutils),
    configureFlags: ["--disable-nls", "--localstatedir=/var/cache/locate", "--without-selinux"],
    // The directory of its database is made on machines that have one.
    installFlags: ["localstatedir=$top/var"],
    // Keeping a file database takes scripts that record the toolchain.
    postInstall: 'rm -rf "$out/bin/updatedb" "$out/bin/locate" "$out/libexec" "$out/var"',
    check: `
      mkdir -p a/b
      find a -name b | xargs -n 1 echo | grep -Fx a/b
    `,
  }),
);

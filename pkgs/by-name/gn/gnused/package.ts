import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "gnused",
    version: SOURCES.sed.version,
    summary: "GNU stream editor",
    homepage: "https://www.gnu.org/software/sed/",
    license: "GPL-3.0-or-later",
    mainProgram: "sed",
    source: fetchUrl(SOURCES.sed),
    configureFlags: ["--disable-nls", "--disable-acl", "--without-selinux"],
    check: 'echo floe | "$out/bin/sed" s/l/r/ | grep -Fx froe',
  }),
);

import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "gnugrep",
    version: SOURCES.grep.version,
    summary: "GNU grep",
    homepage: "https://www.gnu.org/software/grep/",
    license: "GPL-3.0-or-later",
    mainProgram: "grep",
    source: fetchUrl(SOURCES.grep),
    configureFlags: ["--disable-nls", "--disable-perl-regexp"],
    check: 'echo floe | "$out/bin/grep" -o "l.e"',
  }),
);

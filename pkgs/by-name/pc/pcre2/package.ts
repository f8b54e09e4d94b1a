import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "pcre2",
    version: SOURCES.pcre2.version,
    summary: "Library for Perl-compatible regular expressions",
    homepage: "https://www.pcre.org",
    license: "BSD-3-Clause WITH PCRE2-exception",
    source: fetchUrl(SOURCES.pcre2),
    configureFlags: [
      "--disable-static",
      "--enable-jit",
      "--disable-pcre2grep-libz",
      "--disable-pcre2grep-libbz2",
      "--disable-pcre2grep-jit",
    ],
    postInstall: 'rm "$out/bin/pcre2test"',
    check: `
      pcre2-config --version | grep -Fx "$version"
      printf 'one\\ntwo\\n' | pcre2grep '^t(?=wo)' | grep -Fx two
    `,
  }),
);

import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "libxcrypt",
    version: SOURCES.libxcrypt.version,
    summary: "Library for one-way hashing of passwords",
    homepage: "https://github.com/besser82/libxcrypt",
    license: "LGPL-2.1-or-later",
    source: fetchUrl(SOURCES.libxcrypt),
    autoreconf: true,
    configureFlags: [
      "--enable-hashes=strong",
      "--enable-obsolete-api=no",
      "--disable-failure-tokens",
      "--disable-static",
    ],
    check: `
      printf '#include <crypt.h>\\n#include <stdio.h>\\nint main(void) { puts(crypt("a", "$6$salt")); }' > hash.c
      gcc hash.c -I"$out/include" -L"$out/lib" -lcrypt -o hash
      ./hash | grep '^[$]6[$]salt[$]'
    `,
  }),
);

import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ stdenv, fetchUrl }) =>
  stdenv({
    name: "zlib",
    version: SOURCES.zlib.version,
    summary: "Lossless data compression library",
    homepage: "https://zlib.net",
    license: "Zlib",
    source: fetchUrl(SOURCES.zlib),
    // Not an autoconf script: it takes no other options.
    configure: './configure --prefix="$out"',
    check: `
      printf '#include <zlib.h>\\n#include <stdio.h>\\nint main(void) { puts(zlibVersion()); }' > version.c
      gcc version.c -I"$out/include" -L"$out/lib" -lz -o version
      ./version | grep -Fx "$version"
    `,
  }),
);

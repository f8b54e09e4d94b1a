import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "expat",
    version: SOURCES.expat.version,
    summary: "Stream-oriented XML parser library",
    homepage: "https://libexpat.github.io",
    license: "MIT",
    source: fetchUrl(SOURCES.expat),
    sourceRoot: "expat",
    autoreconf: true,
    configureFlags: [
      "--without-xmlwf",
      "--without-docbook",
      "--without-examples",
      "--without-tests",
      "--disable-static",
    ],
    check: `
      printf '#include <expat.h>\\n#include <stdio.h>\\nint main(void) { puts(XML_ExpatVersion()); }' > version.c
      gcc version.c -I"$out/include" -L"$out/lib" -lexpat -o version
      ./version | grep -F "$version"
    `,
  }),
);

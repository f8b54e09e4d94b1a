import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl }) =>
  autotools({
    name: "hello",
    version: SOURCES.hello.version,
    summary: "Program that prints a friendly greeting",
    homepage: "https://www.gnu.org/software/hello/",
    license: "GPL-3.0-or-later",
    mainProgram: "hello",
    source: fetchUrl(SOURCES.hello),
    configureFlags: ["--disable-nls"],
    check: 'hello | grep -Fx "Hello, world!"',
  }),
);

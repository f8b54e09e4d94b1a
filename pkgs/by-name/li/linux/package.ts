import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";
import { scriptPackage } from "../../../bootstrap/script-package.ts";
import { SOURCES } from "../../../sources.ts";

/** Made with the seed alone, so that this longest of builds runs beside the C library's. */
export default definePackage((pkgs) =>
  scriptPackage(pkgs, {
    name: "linux",
    version: SOURCES.linux.version,
    summary: "Linux kernel for virtual machines, without modules",
    homepage: "https://www.kernel.org",
    license: "GPL-2.0-only WITH Linux-syscall-note",
    platforms: ["x86_64-linux"],
    script: local("./build.sh"),
    env: {
      src: pkgs.fetchUrl(SOURCES.linux),
      config: local("./kernel.config"),
      cc: pkgs["seed-cc"],
      libelf: pkgs["seed-libelf"],
      disallowedRequisites: [pkgs.seed, pkgs["seed-libc"], pkgs["seed-cc"]],
    },
  }),
);

// Written by `node pkgs/generate.ts` from the folders' names.
import { importLazily } from "#floe/flake";
import type { Package, PackageDefinition } from "#floe/package";

/** Every package of the set by name; its file is loaded once the package is asked for. */
export const DEFINITIONS = importLazily<PackageDefinition>({
  bash: "./ba/bash/package.ts",
  busybox: "./bu/busybox/package.ts",
  cc: "../bootstrap/cc/package.ts",
  coreutils: "./co/coreutils/package.ts",
  dbus: "./db/dbus/package.ts",
  esbuild: "./es/esbuild/package.ts",
  expat: "./ex/expat/package.ts",
  "fat-tools": "./fa/fat-tools/package.ts",
  findutils: "./fi/findutils/package.ts",
  floe: "./fl/floe/package.ts",
  "floe-agent": "./fl/floe-agent/package.ts",
  "floe-agent-bash": "./fl/floe-agent-bash/package.ts",
  "floe-sandbox": "./fl/floe-sandbox/package.ts",
  "floe-store-work": "./fl/floe-store-work/package.ts",
  gcclib: "./gc/gcclib/package.ts",
  glibc: "./gl/glibc/package.ts",
  gnugrep: "./gn/gnugrep/package.ts",
  gnused: "./gn/gnused/package.ts",
  hello: "./he/hello/package.ts",
  "image-tools": "./im/image-tools/package.ts",
  iproute2: "./ip/iproute2/package.ts",
  kmod: "./km/kmod/package.ts",
  libcap: "./li/libcap/package.ts",
  libxcrypt: "./li/libxcrypt/package.ts",
  linux: "./li/linux/package.ts",
  "linux-headers": "../bootstrap/linux-headers/package.ts",
  nginx: "./ng/nginx/package.ts",
  nodejs: "./no/nodejs/package.ts",
  pcre2: "./pc/pcre2/package.ts",
  postgresql: "./po/postgresql/package.ts",
  qemu: "./qe/qemu/package.ts",
  seed: "../bootstrap/seed/package.ts",
  "seed-autotools": "../bootstrap/seed-autotools/package.ts",
  "seed-busybox": "../bootstrap/seed-busybox/package.ts",
  "seed-cc": "../bootstrap/seed-cc/package.ts",
  "seed-cross-aarch64": "../bootstrap/seed-cross-aarch64/package.ts",
  "seed-gcclib": "../bootstrap/seed-gcclib/package.ts",
  "seed-libc": "../bootstrap/seed-libc/package.ts",
  "seed-libelf": "../bootstrap/seed-libelf/package.ts",
  systemd: "./sy/systemd/package.ts",
  "systemd-boot": "./sy/systemd-boot/package.ts",
  tesseract: "./te/tesseract/package.ts",
  "uefi-firmware": "./ue/uefi-firmware/package.ts",
  "util-linux": "./ut/util-linux/package.ts",
  zlib: "./zl/zlib/package.ts",
});

declare module "#floe/package" {
  interface Pkgs {
    readonly bash: Package;
    readonly busybox: Package;
    readonly cc: Package;
    readonly coreutils: Package;
    readonly dbus: Package;
    readonly esbuild: Package;
    readonly expat: Package;
    readonly "fat-tools": Package;
    readonly findutils: Package;
    readonly floe: Package;
    readonly "floe-agent": Package;
    readonly "floe-agent-bash": Package;
    readonly "floe-sandbox": Package;
    readonly "floe-store-work": Package;
    readonly gcclib: Package;
    readonly glibc: Package;
    readonly gnugrep: Package;
    readonly gnused: Package;
    readonly hello: Package;
    readonly "image-tools": Package;
    readonly iproute2: Package;
    readonly kmod: Package;
    readonly libcap: Package;
    readonly libxcrypt: Package;
    readonly linux: Package;
    readonly "linux-headers": Package;
    readonly nginx: Package;
    readonly nodejs: Package;
    readonly pcre2: Package;
    readonly postgresql: Package;
    readonly qemu: Package;
    readonly seed: Package;
    readonly "seed-autotools": Package;
    readonly "seed-busybox": Package;
    readonly "seed-cc": Package;
    readonly "seed-cross-aarch64": Package;
    readonly "seed-gcclib": Package;
    readonly "seed-libc": Package;
    readonly "seed-libelf": Package;
    readonly systemd: Package;
    readonly "systemd-boot": Package;
    readonly tesseract: Package;
    readonly "uefi-firmware": Package;
    readonly "util-linux": Package;
    readonly zlib: Package;
  }
}

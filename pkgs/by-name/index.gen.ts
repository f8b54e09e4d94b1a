// Written by `node pkgs/generate.ts` from the folders' names.
import type { Package, PackageDefinition } from "#floe/package";
import bash from "./ba/bash/package.ts";
import busybox from "./bu/busybox/package.ts";
import cc from "../bootstrap/cc/package.ts";
import coreutils from "./co/coreutils/package.ts";
import dbus from "./db/dbus/package.ts";
import esbuild from "./es/esbuild/package.ts";
import expat from "./ex/expat/package.ts";
import fatTools from "./fa/fat-tools/package.ts";
import findutils from "./fi/findutils/package.ts";
import floe from "./fl/floe/package.ts";
import floeAgent from "./fl/floe-agent/package.ts";
import floeAgentBash from "./fl/floe-agent-bash/package.ts";
import floeSandbox from "./fl/floe-sandbox/package.ts";
import floeStoreWork from "./fl/floe-store-work/package.ts";
import gcclib from "./gc/gcclib/package.ts";
import glibc from "./gl/glibc/package.ts";
import gnugrep from "./gn/gnugrep/package.ts";
import gnused from "./gn/gnused/package.ts";
import hello from "./he/hello/package.ts";
import imageTools from "./im/image-tools/package.ts";
import iproute2 from "./ip/iproute2/package.ts";
import kmod from "./km/kmod/package.ts";
import libcap from "./li/libcap/package.ts";
import libxcrypt from "./li/libxcrypt/package.ts";
import linux from "./li/linux/package.ts";
import linuxHeaders from "../bootstrap/linux-headers/package.ts";
import nginx from "./ng/nginx/package.ts";
import nodejs from "./no/nodejs/package.ts";
import pcre2 from "./pc/pcre2/package.ts";
import postgresql from "./po/postgresql/package.ts";
import qemu from "./qe/qemu/package.ts";
import seed from "../bootstrap/seed/package.ts";
import seedAutotools from "../bootstrap/seed-autotools/package.ts";
import seedBusybox from "../bootstrap/seed-busybox/package.ts";
import seedCc from "../bootstrap/seed-cc/package.ts";
import seedCrossAarch64 from "../bootstrap/seed-cross-aarch64/package.ts";
import seedGcclib from "../bootstrap/seed-gcclib/package.ts";
import seedLibc from "../bootstrap/seed-libc/package.ts";
import seedLibelf from "../bootstrap/seed-libelf/package.ts";
import systemd from "./sy/systemd/package.ts";
import systemdBoot from "./sy/systemd-boot/package.ts";
import tesseract from "./te/tesseract/package.ts";
import uefiFirmware from "./ue/uefi-firmware/package.ts";
import utilLinux from "./ut/util-linux/package.ts";
import zlib from "./zl/zlib/package.ts";

/** Every package of the set by name. */
export const DEFINITIONS: Readonly<Record<string, PackageDefinition>> = {
  bash,
  busybox,
  cc,
  coreutils,
  dbus,
  esbuild,
  expat,
  "fat-tools": fatTools,
  findutils,
  floe,
  "floe-agent": floeAgent,
  "floe-agent-bash": floeAgentBash,
  "floe-sandbox": floeSandbox,
  "floe-store-work": floeStoreWork,
  gcclib,
  glibc,
  gnugrep,
  gnused,
  hello,
  "image-tools": imageTools,
  iproute2,
  kmod,
  libcap,
  libxcrypt,
  linux,
  "linux-headers": linuxHeaders,
  nginx,
  nodejs,
  pcre2,
  postgresql,
  qemu,
  seed,
  "seed-autotools": seedAutotools,
  "seed-busybox": seedBusybox,
  "seed-cc": seedCc,
  "seed-cross-aarch64": seedCrossAarch64,
  "seed-gcclib": seedGcclib,
  "seed-libc": seedLibc,
  "seed-libelf": seedLibelf,
  systemd,
  "systemd-boot": systemdBoot,
  tesseract,
  "uefi-firmware": uefiFirmware,
  "util-linux": utilLinux,
  zlib,
};

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

import { local } from "#floe/derivation";
import { definePackage } from "#floe/package";
import { scriptPackage } from "../../../bootstrap/script-package.ts";
import { SOURCES } from "../../../sources.ts";

/** Made with the seed alone, so that this longest of builds runs beside the C library's. */
export default definePackage((pkgs) => {
  const { triple, processor, kernelArchitecture: arch } = pkgs.platform;
  return scriptPackage(pkgs, {
    name: "linux",
    version: SOURCES.linux.version,
    summary: "Linux kernel for virtual machines, without modules",
    homepage: "https://www.kernel.org",
    license: "GPL-2.0-only WITH Linux-syscall-note",
    script: local("./build.sh"),
    env: {
      src: pkgs.fetchUrl(SOURCES.linux),
      config: local("./kernel.config"),
      cc: pkgs["seed-cc"],
      libelf: pkgs["seed-libelf"],
      disallowedRequisites: [
        pkgs.seed,
        pkgs["seed-libc"],
        pkgs["seed-cc"],
        ...(pkgs.isCross ? [pkgs["seed-cross-aarch64"]] : []),
      ],
      ...(pkgs.isCross
        ? { cross: pkgs["seed-cross-aarch64"], targetConfig: local(`./kernel.${processor}.config`) }
        : {}),
    },
    // A processor of another kind boots \`Image\` directly, and has no second form of it.
    crossWords: {
      "export PATH=$cc/bin": "export PATH=$cross/bin:$cc/bin",
      "arch/x86 kernel": `arch/${arch} kernel`,
      "ARCH=x86_64 HOSTCC=gcc CC=gcc": `ARCH=${arch} HOSTCC=gcc CROSS_COMPILE=${triple}- CC=${triple}-gcc-12`,
      "mkdir ../build": `mkdir ../build; sed '/^# x86_64$/,$d' "$config" | cat - "$targetConfig" > ../wanted; config=$PWD/../wanted`,
      "arch/x86/boot/bzImage": `arch/${arch}/boot/Image`,
      bzImage: "Image",
      'strip -s -o "$out/vmlinux" vmlinux': ":",
      'readelf -n "$out/vmlinux" | grep -q Xen': `[ "$(head -c 60 "$out/Image" | tail -c 4)" = ARMd ]`,
      "vmlinux has no PVH entry note": "Image has no header for boot loaders",
      "make -s kernelrelease": "cat include/config/kernel.release",
    },
  });
});

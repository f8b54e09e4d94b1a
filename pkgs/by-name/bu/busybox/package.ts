import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

/** Written in assembler for x86_64 alone. */
const NO_PROCESSOR_SPECIFIC_HASHES = `
      sed -i -E 's/^(CONFIG_SHA(1|256)_HWACCEL)=y/# \\1 is not set/' .config`;

export default definePackage(({ stdenv, fetchUrl, platform, isCross, toolPrefix }) => {
  const target = isCross ? ` ARCH=${platform.kernelArchitecture} CROSS_COMPILE=${toolPrefix}` : "";
  // Only the machine itself can run its busybox; the build has the list, too.
  const applets = isCross ? "sed 's,.*/,,' busybox.links" : "./busybox --list";
  return stdenv({
    name: "busybox",
    version: SOURCES.busybox.version,
    summary: "Unix tools in a single statically linked program",
    homepage: "https://busybox.net",
    license: "GPL-2.0-only",
    mainProgram: "busybox",
    source: fetchUrl(SOURCES.busybox),
    static: true,
    configure: `
      make defconfig HOSTCC=gcc
      sed -i '
        s/^# CONFIG_STATIC is not set/CONFIG_STATIC=y/
        s/^CONFIG_TC=y/# CONFIG_TC is not set/
        s/^CONFIG_LINUXRC=y/# CONFIG_LINUXRC is not set/
        s/^CONFIG_FEATURE_SH_STANDALONE=y/# CONFIG_FEATURE_SH_STANDALONE is not set/
      ' .config${isCross ? NO_PROCESSOR_SPECIFIC_HASHES : ""}
    `,
    build: `make -j"$jobs" HOSTCC=gcc CC=${toolPrefix}gcc${target} busybox${isCross ? " busybox.links" : ""}`,
    install: `
      mkdir -p "$out/bin"
      cp busybox "$out/bin/"
      for applet in $(${applets}); do
        [ "$applet" = busybox ] || ln -s busybox "$out/bin/$applet"
      done
    `,
    env: { KCONFIG_NOTIMESTAMP: true },
    check: `
      "$out/bin/busybox" | head -n 1 | grep -F "v$version"
      ! patchelf --print-interpreter "$out/bin/busybox"
    `,
  });
});

import type { SourcePin } from "./source-pin.ts";

/**
 * Upstream sources by package name, as Debian's archive has them.
 *
 * Written by `node pkgs/bootstrap/refresh-pins.ts`, which keeps names and suites and looks up the rest.
 */
// biome-ignore format: a table, one pin a line.
export const SOURCES = {
  bash: { source: "bash", suite: "trixie", version: "5.2.37", url: "mirror://debian/pool/main/b/bash/bash_5.2.37.orig.tar.xz", hash: "sha256-NwcEychZ9AYLffGQVeQ7ubX6CdiHaZz2uoeIXFSF02o=" },
  busybox: { source: "busybox", suite: "trixie", version: "1.37.0", url: "mirror://debian/pool/main/b/busybox/busybox_1.37.0.orig.tar.bz2", hash: "sha256-MxHf8y50ZJn03w1d8E1+s5Y4LX4Qi7klDntRm4NwQ6Q=" },
  coreutils: { source: "coreutils", suite: "trixie", version: "9.7", url: "mirror://debian/pool/main/c/coreutils/coreutils_9.7.orig.tar.xz", hash: "sha256-6LsmrQKT+bWh/EP7QrqXDjEsZs6SwbCxZxPXUA2yUb8=" },
  dbus: { source: "dbus", suite: "trixie", version: "1.16.2", url: "mirror://debian/pool/main/d/dbus/dbus_1.16.2.orig.tar.xz", hash: "sha256-C6KhpLFq/nvOssB+nOmajCw1COXewpDbtkM4S9a+t+I=" },
  expat: { source: "expat", suite: "trixie", version: "2.8.3", url: "mirror://debian/pool/main/e/expat/expat_2.8.3.orig.tar.gz", hash: "sha256-UzZZoW4BhANamf2OeD8a1hqIenv4WGqGgXQLnX7UI4k=" },
  findutils: { source: "findutils", suite: "trixie", version: "4.10.0", url: "mirror://debian/pool/main/f/findutils/findutils_4.10.0.orig.tar.xz", hash: "sha256-E4fgtn/yR9Kr3pmPkN+/cMFJE5Glnd/suK5ph4nwpPU=" },
  glibc: { source: "glibc", suite: "trixie", version: "2.41", url: "mirror://debian/pool/main/g/glibc/glibc_2.41.orig.tar.xz", hash: "sha256-8kqkQQIRIaeSZvDXUkJwbKuIQ6R5Af7+dFJ0kYB/GZg=" },
  grep: { source: "grep", suite: "trixie", version: "3.11", url: "mirror://debian/pool/main/g/grep/grep_3.11.orig.tar.xz", hash: "sha256-HbKu3eidDepCsW2VKPiUyNFdrk4ZC1muzHj1qVEnbqs=" },
  hello: { source: "hello", suite: "trixie", version: "2.10", url: "mirror://debian/pool/main/h/hello/hello_2.10.orig.tar.gz", hash: "sha256-MeBmE3qWJnbon2nRtlOC3pWn732RS4y5VvQepy4PUWs=" },
  iproute2: { source: "iproute2", suite: "bookworm", version: "6.1.0", url: "mirror://debian/pool/main/i/iproute2/iproute2_6.1.0.orig.tar.xz", hash: "sha256-XOEqD+xrIScl7yGHNZQbLat2JE235yZGp2AhsFN7Q6s=" },
  kmod: { source: "kmod", suite: "trixie", version: "34.2", url: "mirror://debian/pool/main/k/kmod/kmod_34.2.orig.tar.xz", hash: "sha256-AS0W4gmRFUhtiqnywqI9BY09DK2DETpgUSZH0l04aeg=" },
  less: { source: "less", suite: "trixie", version: "668", url: "mirror://debian/pool/main/l/less/less_668.orig.tar.gz", hash: "sha256-KBn1VWTYbVQqu+yv2C/2HoGaPuyWf6o2zT5o8VlqRLg=" },
  libcap: { source: "libcap2", suite: "trixie", version: "2.75", url: "mirror://debian/pool/main/libc/libcap2/libcap2_2.75.orig.tar.xz", hash: "sha256-3k5+BkybpFHVI03Ubol9fHHJap6/mgxEW8BPR0LYNjI=" },
  libxcrypt: { source: "libxcrypt", suite: "trixie", version: "4.4.38", url: "mirror://debian/pool/main/libx/libxcrypt/libxcrypt_4.4.38.orig.tar.xz", hash: "sha256-aidaNWYixkup9pOJIhXbs5nAA6ekr+7ZxMdAcOqrIPQ=" },
  linux: { source: "linux", suite: "trixie", version: "6.12.107", url: "mirror://debian/pool/main/l/linux/linux_6.12.107.orig.tar.xz", hash: "sha256-78dtPHil1l9CckEYxDfRHbHJ9jCaXwJO6aixl4/caRk=" },
  nginx: { source: "nginx", suite: "trixie", version: "1.26.3", url: "mirror://debian/pool/main/n/nginx/nginx_1.26.3.orig.tar.gz", hash: "sha256-ae4rI3dEA25h0kuDZmiq0wQN2kYf5vVw8Xh+q1cMdao=" },
  pcre2: { source: "pcre2", suite: "trixie", version: "10.46", url: "mirror://debian/pool/main/p/pcre2/pcre2_10.46.orig.tar.gz", hash: "sha256-jSjX8sO5cMOkvzd2vLta38kjGDznS8jfHrqtjBmFvQc=" },
  postgresql: { source: "postgresql-17", suite: "trixie", version: "17.10", url: "mirror://debian/pool/main/p/postgresql-17/postgresql-17_17.10.orig.tar.bz2", hash: "sha256-B4oDUW3NvbcF/sr0Feo9E6lWxYnkbwn+1ooG+wBZjJA=" },
  sed: { source: "sed", suite: "trixie", version: "4.9", url: "mirror://debian/pool/main/s/sed/sed_4.9.orig.tar.xz", hash: "sha256-biJrcy4c1zlGStaGK9Ghq6QteYKSLaelNRljHSSXUYE=" },
  systemd: { source: "systemd", suite: "trixie", version: "257.13", url: "mirror://debian/pool/main/s/systemd/systemd_257.13.orig.tar.gz", hash: "sha256-HrfV+f+KQm/4gKPN7ZzoGWE7qAA6xd3ensoWLxTdq+c=" },
  "util-linux": { source: "util-linux", suite: "trixie", version: "2.41.5", url: "mirror://debian/pool/main/u/util-linux/util-linux_2.41.5.orig.tar.xz", hash: "sha256-9YbjXTIP9Teqs//so36ezUgsy+ATWQ20QppBTYqmpyg=" },
  zlib: { source: "zlib", suite: "trixie", version: "1.3.1", url: "mirror://debian/pool/main/z/zlib/zlib_1.3.dfsg+really1.3.1.orig.tar.gz", hash: "sha256-YN0xXAf2Foh8qgKUCDCKAYrOZuPRQnJql9sWSzuPafs=" },
} as const satisfies Readonly<Record<string, SourcePin>>;

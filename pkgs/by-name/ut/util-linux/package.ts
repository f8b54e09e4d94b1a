import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ autotools, fetchUrl, zlib, libxcrypt }) =>
  autotools({
    name: "util-linux",
    version: SOURCES["util-linux"].version,
    summary: "System programs around disks, mounts, terminals and namespaces",
    homepage: "https://www.kernel.org/pub/linux/utils/util-linux/",
    license: "GPL-2.0-or-later AND LGPL-2.1-or-later AND BSD-3-Clause",
    source: fetchUrl(SOURCES["util-linux"]),
    inputs: [zlib, libxcrypt],
    // Whatever is not named here is searched for, and could be found in the toolchain.
    configureFlags: [
      "--sbindir=$out/bin",
      "--localstatedir=/var",
      "--runstatedir=/run",
      "SYSCONFSTATICDIR=$out/lib",
      ..."nls static asciidoc poman bash-completion makeinstall-chown makeinstall-setuid liblastlog2 pam-lastlog2 login su runuser chfn-chsh more ul pg setterm hwclock-gplv3"
        .split(" ")
        .map((feature) => `--disable-${feature}`),
      ..."python systemd udev ncursesw ncurses tinfo readline cap-ng audit selinux econf btrfs libmagic"
        .split(" ")
        .map((library) => `--without-${library}`),
    ],
    check: `
      mount --version | grep -F "$version"
      truncate -s 1M disk
      mkswap disk
      blkid -p disk | grep -F 'TYPE="swap"'
    `,
  }),
);

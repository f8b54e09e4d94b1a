import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ stdenv, fetchUrl, libcap }) =>
  stdenv({
    name: "iproute2",
    version: SOURCES.iproute2.version,
    summary: "Programs to show and change network interfaces, routes and sockets",
    homepage: "https://wiki.linuxfoundation.org/networking/iproute2",
    license: "GPL-2.0-or-later",
    mainProgram: "ip",
    source: fetchUrl(SOURCES.iproute2),
    inputs: [libcap],
    postPatch: "sed -i 's,-Werror,,; /^MANDIR/d' Makefile",
    configure: "./configure",
    makeFlags: [
      "PREFIX=$out",
      "SBINDIR=$out/bin",
      // Names of tables and protocols; the archive would put them into /etc.
      "CONFDIR=$out/share/iproute2",
      "NETNS_RUN_DIR=/run/netns",
      "SHARED_LIBS=n",
      "HOSTCC=gcc",
      "SUBDIRS=lib ip bridge misc",
    ],
    installFlags: ["DESTDIR=", "ARPDDIR=$top/arpd", "MANDIR=$top/man"],
    // Needs a perl that machines do not have.
    postInstall: 'rm -f "$out/bin/routel"',
    check: 'ip -Version | grep -F "iproute2-6.1.0"',
  }),
);

import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ stdenv, fetchUrl, isCross, toolPrefix }) =>
  stdenv({
    name: "libcap",
    version: SOURCES.libcap.version,
    summary: "Library and programs for POSIX capabilities",
    homepage: "https://sites.google.com/site/fullycapable/",
    license: "BSD-3-Clause OR GPL-2.0-only",
    source: fetchUrl(SOURCES.libcap),
    makeFlags: [
      "SHELL=$SHELL",
      "prefix=$out",
      "lib=lib",
      "sbindir=bin",
      `CC=${toolPrefix}gcc`,
      "BUILD_CC=gcc",
      "GOLANG=no",
      "PAM_CAP=no",
      "RAISE_SETFCAP=no",
      "DYNAMIC=yes",
      ...(isCross ? [`CROSS_COMPILE=${toolPrefix}`] : []),
    ],
    build: `
      withFlags "$makeFlags" make -j"$jobs" -C libcap
      withFlags "$makeFlags" make -j"$jobs" -C progs
    `,
    install: `
      withFlags "$makeFlags" make -C libcap install
      withFlags "$makeFlags" make -C progs install
      rm -f "$out"/lib/*.a
    `,
    check: 'capsh --print | grep "^Current:"',
  }),
);

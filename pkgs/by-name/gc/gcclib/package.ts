import { definePackage } from "#floe/package";
import { makeGcclib } from "../../../bootstrap/gcclib.ts";

export default definePackage((pkgs) =>
  makeGcclib(pkgs, { name: "gcclib", libc: pkgs.glibc, forbidden: [pkgs.seed, pkgs["seed-libc"]] }),
);

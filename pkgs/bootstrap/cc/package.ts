import { definePackage } from "#floe/package";
import { makeCc } from "../cc-wrapper.ts";

/** Compiles everything that ships: against the C library built from source. */
export default definePackage((pkgs) => makeCc(pkgs, { name: "cc", libc: pkgs.glibc, gcclib: pkgs.gcclib }));

import { definePackage } from "#floe/package";
import { makeCc } from "../cc-wrapper.ts";

/** Compiles programs that run during builds. */
export default definePackage((pkgs) =>
  makeCc(pkgs, { name: "seed-cc", libc: pkgs["seed-libc"], gcclib: pkgs["seed-gcclib"] }),
);

import { definePackage } from "#floe/package";
import { makeGcclib } from "../gcclib.ts";

export default definePackage((pkgs) => makeGcclib(pkgs, { name: "seed-gcclib", libc: pkgs["seed-libc"] }));

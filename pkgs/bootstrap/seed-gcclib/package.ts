import { defineBuildTool } from "#floe/package";
import { makeGcclib } from "../gcclib.ts";

export default defineBuildTool((pkgs) => makeGcclib(pkgs, { name: "seed-gcclib", libc: pkgs["seed-libc"] }));

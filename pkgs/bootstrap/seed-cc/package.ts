import { defineBuildTool } from "#floe/package";
import { makeCc } from "../cc-wrapper.ts";

/** Compiles programs that run during builds. */
export default defineBuildTool((pkgs) =>
  makeCc(pkgs, { name: "seed-cc", libc: pkgs["seed-libc"], gcclib: pkgs["seed-gcclib"] }),
);

import type { Pkgs } from "../pkgs/index.ts";

declare module "#floe/module" {
  interface ModuleArguments {
    /** The package set of the system's platform. */
    readonly pkgs: Pkgs;
  }
}

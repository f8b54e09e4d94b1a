import { captureCaller, type SourceLocation } from "../base/index.ts";
import type { Pkgs } from "./index.ts";
import type { Package } from "./package.ts";

/** A package as its file declares it: made when a set asks for it, with arguments from that set. */
export interface PackageDefinition {
  readonly kind: "package-definition";
  readonly at: SourceLocation | undefined;
  /** Whether it runs during builds only, so that a cross set takes it from the set of the platform that builds. */
  readonly isBuildTool: boolean;
  make(scope: Pkgs): Package;
}

/**
 * Declare a package. Its dependencies and builders arrive as arguments, so that overlays and `override` can replace any.
 *
 * @example export default definePackage(({ autotools, fetchUrl, zlib }) => autotools({ name: "curl", … }));
 */
export function definePackage(make: (scope: Pkgs) => Package): PackageDefinition {
  return definition(captureCaller(definePackage), false, make);
}

/** Declare a package that runs during builds and is part of no machine: it is always that of the platform that builds. */
export function defineBuildTool(make: (scope: Pkgs) => Package): PackageDefinition {
  return definition(captureCaller(defineBuildTool), true, make);
}

function definition(
  place: () => SourceLocation | undefined,
  isBuildTool: boolean,
  make: PackageDefinition["make"],
): PackageDefinition {
  return {
    kind: "package-definition",
    get at() {
      return place();
    },
    isBuildTool,
    make,
  };
}

/**
 * All packages of a set by name, and the builders packages are made with. The package set extends it with its members.
 */
export interface Pkgs {
  /** Kind of machine the packages run on. */
  readonly platform: import("./platform.ts").Platform;
  /** The set of the platform that builds: this one, unless it is a cross set. */
  readonly native: Pkgs;
  /** Whether the packages run on another platform than the one that builds them. */
  readonly isCross: boolean;
  readonly fetchUrl: typeof import("./fetch-url.ts").fetchUrl;
  /** The same set with further overlays: `inputs.floe.packages["x86_64-linux"].extend(inputs.more.overlays.default)`. */
  readonly extend: (...overlays: import("./overlay.ts").Overlay[]) => Pkgs;
}

export * from "./define.ts";
export * from "./fetch-url.ts";
export type { Meta, MetaAttributes } from "./meta.ts";
export * from "./overlay.ts";
export {
  type Attributes,
  type AttributesChange,
  isPackage,
  makePackage,
  type MakePackageOptions,
  nativeOf,
  type Package,
  type PackageAttributes,
} from "./package.ts";
export { makePackageSet, type PackageSetOptions } from "./package-set.ts";
export { getPlatform, type Platform, PLATFORM_NAMES } from "./platform.ts";

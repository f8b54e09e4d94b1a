import { callerLocation, type SourceLocation } from "../base/index.ts";
import type { Pkgs } from "./index.ts";
import type { Package } from "./package.ts";

export interface OverlayOptions {
  /** Packages to replace. `previous` is the package before this overlay, `final` the set after all overlays. */
  readonly override?: Readonly<Record<string, (previous: Package, final: Pkgs) => Package>>;
  /** Packages the set does not have yet. */
  readonly add?: Readonly<Record<string, (final: Pkgs) => Package>>;
}

/** A function over a package set. */
export interface Overlay extends Required<OverlayOptions> {
  readonly kind: "overlay";
  readonly at: SourceLocation | undefined;
}

/**
 * Declare an overlay. That its `override` names exist and its `add` names do not is checked when it is applied.
 *
 * @example defineOverlay({ override: { nginx: (nginx) => nginx.overrideAttrs(() => ({ … })) } })
 */
export function defineOverlay({ override = {}, add = {} }: OverlayOptions): Overlay {
  return { kind: "overlay", at: callerLocation(defineOverlay), override, add };
}

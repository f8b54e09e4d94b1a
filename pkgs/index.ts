import { getPlatform, makePackageSet, type Overlay, type Pkgs } from "#floe/package";
import { makeBuilders } from "./builders/index.ts";
import { DEFINITIONS } from "./by-name/index.gen.ts";

export type { Pkgs } from "#floe/package";

export interface MakePkgsOptions {
  /** System the packages run on: `x86_64-linux`. */
  readonly platform: string;
  /** Applied in order. Default none. */
  readonly overlays?: readonly Overlay[];
}

/**
 * The package set for one platform. Lazy: a package is made when it is first asked for.
 *
 * @throws {CodedError} `platform.unknown`, `package.unknown-override`, `package.already-exists`
 */
export function makePkgs({ platform, overlays = [] }: MakePkgsOptions): Pkgs {
  const machine = getPlatform(platform);
  return makePackageSet({ definitions: DEFINITIONS, overlays, tools: (set) => ({ ...makeBuilders(set, machine) }) });
}

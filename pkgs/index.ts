import { getPlatform, makePackageSet, type Overlay, type Pkgs } from "#floe/package";
import { makeBuilders } from "./builders/index.ts";
import { DEFINITIONS } from "./by-name/index.gen.ts";

export type { Pkgs } from "#floe/package";

/** The platform of the seed: all builds happen there. */
const BUILD_PLATFORM = "x86_64-linux";

export interface MakePkgsOptions {
  /** System the packages run on: `x86_64-linux`, or `aarch64-linux`, which is built on the former. */
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
  const native = makePackageSet({
    definitions: DEFINITIONS,
    overlays,
    tools: toolsFor(BUILD_PLATFORM),
    cross: { aarch64: toolsFor("aarch64-linux") },
  });
  const { system } = getPlatform(platform);
  return system === BUILD_PLATFORM ? native : native.cross.aarch64;
}

const toolsFor = (system: string) => (set: Pkgs) => ({ ...makeBuilders(set, getPlatform(system)) });

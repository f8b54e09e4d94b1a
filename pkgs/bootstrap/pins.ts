import type { DerivationOptions, DerivationValue } from "#floe/derivation";
import { fetchUrl } from "#floe/package";

/** One binary package, pinned by its hash. */
export interface SeedPin {
  readonly package: string;
  readonly version: string;
  /** Below the mirror: `pool/main/…`. */
  readonly path: string;
  /** SRI form. */
  readonly hash: string;
}

/** The file of a pin, in the store. */
export function fetchPin({ path, hash }: SeedPin): DerivationValue {
  return fetchUrl({ url: `mirror://debian/${path}`, hash });
}

/**
 * Derives one file of a binary package, in the store as `<output>/<path>`: the only way to a first program, as unpacking
 * a package takes programs.
 */
export function pinMember(
  pin: SeedPin,
  options: { readonly name: string; readonly member: string; readonly path: string; readonly hash: string },
): DerivationOptions {
  const { name, member, path, hash } = options;
  const url = `mirror://debian/${pin.path}`;
  return {
    name,
    system: "builtin",
    builder: "builtin:fetch-deb-member",
    fixed: { method: "recursive", hash },
    env: { url, urls: [url], member, path, preferLocalBuild: true },
  };
}

import { type DerivationValue, derivation } from "#floe/derivation";

/** What {@link writeText} takes. */
export interface WriteTextOptions {
  /** Name of the store object. */
  readonly name: string;
  readonly text: string;
  readonly pkgs: { readonly bash: { toString(): string } };
  readonly platform: string;
}

/** A text as a store object, by a build: unlike `toFile`, it may refer to packages. */
export function writeText({ name, text, pkgs, platform }: WriteTextOptions): DerivationValue {
  return derivation({
    name,
    system: platform,
    builder: `${pkgs.bash}/bin/bash`,
    args: ["-euc", `printf '%s' "$text" > "$out"`],
    env: { text, preferLocalBuild: true },
  });
}

import { type DerivationValue, derivation } from "#floe/derivation";
import type { Pkgs } from "../pkgs/index.ts";

/** What {@link writeText} takes. */
export interface WriteTextOptions {
  /** Name of the store object. */
  readonly name: string;
  readonly text: string;
  readonly pkgs: Pick<Pkgs, "native">;
}

/** A text as a store object, by a build: unlike `toFile`, it may refer to packages. */
export function writeText({ name, text, pkgs: { native } }: WriteTextOptions): DerivationValue {
  return derivation({
    name,
    system: native.platform.system,
    builder: `${native.bash}/bin/bash`,
    args: ["-euc", `printf '%s' "$text" > "$out"`],
    env: { text, preferLocalBuild: true },
  });
}

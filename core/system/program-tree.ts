import { type DerivationValue, derivation } from "../derivation/index.ts";

/** What {@link makeProgramTree} takes. */
export interface ProgramTreeOptions {
  readonly platform: string;
  readonly bash: { toString(): string };
  readonly coreutils: { toString(): string };
  /** Packages in order: of two programs with one name that of the earlier package is taken. */
  readonly packages: readonly { toString(): string }[];
}

/** The merged programs of a system: `bin` with a link to each program of each package, those of `sbin` included. */
export function makeProgramTree({ platform, bash, coreutils, packages }: ProgramTreeOptions): DerivationValue {
  return derivation({
    name: "system-path",
    system: platform,
    builder: `${bash}/bin/bash`,
    args: ["-euc", BUILD],
    structuredAttrs: { packages: [...new Set(packages.map(String))], bin: `${coreutils}/bin` },
  });
}

const BUILD = `source "$NIX_ATTRS_SH_FILE"
shopt -s nullglob
out=\${outputs[out]}
"$bin/mkdir" -p "$out/bin"
declare -A seen=()
for package in "\${packages[@]}"; do
  new=()
  for program in "$package"/bin/* "$package"/sbin/*; do
    name=\${program##*/}
    [[ -v seen[$name] ]] && continue
    seen[$name]=1
    new+=("$program")
  done
  [[ \${#new[@]} == 0 ]] || "$bin/ln" -s -t "$out/bin" "\${new[@]}"
done
`;

import { type DerivationValue, derivation } from "../derivation/index.ts";
import { INITRD_SCRIPT } from "./initrd-script.ts";

/** What {@link makeInitrd} takes. */
export interface InitrdOptions {
  readonly platform: string;
  readonly bash: { toString(): string };
  readonly coreutils: { toString(): string };
  /** A static busybox. */
  readonly busybox: { toString(): string };
  /** Further files by their path in the archive, such as kernel modules: `lib/modules/10-virtio.ko`. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * The initial RAM disk: a static busybox and the first stage's script, as an archive that is not compressed.
 *
 * It has a size of about two megabytes. Unpacking costs an emulated processor more than loading does.
 */
export function makeInitrd(options: InitrdOptions): DerivationValue {
  const { platform, bash, coreutils, busybox, files = {} } = options;
  return derivation({
    name: "initrd",
    system: platform,
    builder: `${bash}/bin/bash`,
    args: ["-euc", BUILD],
    structuredAttrs: {
      script: INITRD_SCRIPT,
      busybox: `${busybox}/bin/busybox`,
      files,
      bin: `${coreutils}/bin`,
    },
  });
}

/**
 * Writes the "newc" format by hand: a header of thirteen numbers with eight hexadecimal digits each, then the
 * name and the content, both padded to four bytes. Inode numbers count up and times are 1, so that the bytes
 * depend on the content alone. Source: Linux, Documentation/driver-api/early-userspace/buffer-format.rst.
 */
const BUILD = `source "$NIX_ATTRS_SH_FILE"
out=\${outputs[out]}
inode=0
size=0
put() { printf '%s' "$1"; size=$((size + \${#1})); }
pad() { while (( size % 4 )); do printf '\\0'; size=$((size + 1)); done; }
entry() { # NAME MODE LENGTH [FILE]
  local name=$1 mode=$2 length=$3
  inode=$((inode + 1))
  printf -v header '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X' \\
    "$inode" "$mode" 0 0 1 1 "$length" 0 0 0 0 $((\${#name} + 1)) 0
  put "$header"
  put "$name"
  printf '\\0'; size=$((size + 1)); pad
}
content() { size=$((size + $1)); pad; }
folder() { entry "$1" $((8#040755)) 0; }
link() { entry "$1" $((8#120777)) \${#2}; printf '%s' "$2"; content \${#2}; }
copy() { # NAME FILE MODE
  local length
  length=$("$bin/stat" -L -c %s "$2")
  entry "$1" $((8#100000 + 8#$3)) "$length"
  "$bin/cat" "$2"; content "$length"
}
LC_ALL=C
{
  for name in bin dev mnt proc sys; do folder "$name"; done
  copy bin/busybox "$busybox" 0755
  link bin/sh busybox
  printf '%s' "$script" > script
  copy init script 0755
  declare -A made=()
  for name in "\${!files[@]}"; do printf '%s\\n' "$name"; done | "$bin/sort" > names
  while read -r name; do
    folder_name=\${name%/*} above=
    for part in \${folder_name//\\// }; do
      above=\${above:+$above/}$part
      [[ -v made[$above] ]] || folder "$above"
      made[$above]=1
    done
    copy "$name" "\${files[$name]}" 0644
  done < names
  entry 'TRAILER!!!' 0 0
} > "$out"
`;

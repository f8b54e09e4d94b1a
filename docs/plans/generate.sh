# Reads a folder of texts and writes plans: one derivation for each file, and one that joins what they give.
#
# Variables: `source`, the folder; `shell`, the package of a shell with a few programs; `out` and `parts`, where the plans belong.
#
# How many files there are shows only here, and a derivation has the outputs that it says. So the derivations of the files are the outputs of one
# more, `parts`, and what joins needs the outputs of these outputs. Paths that are not known yet are placeholders, made as Nix makes them.
set -eu

i=0
for letter in 0 1 2 3 4 5 6 7 8 9 a b c d f g h i j k l m n p q r s v w x y z; do
  eval "letter$i=$letter"
  i=$((i + 1))
done
sha256() { printf %s "$1" | sha256sum | cut -c1-64; }
bytes() { echo "$1" | sed 's/../0x& /g'; }
# The digest in store paths: of the 32 bytes the last 12 are laid upon the first.
fold() {
  # shellcheck disable=SC2046
  set -- $(bytes "$1")
  i=1
  while [ $i -le 20 ]; do
    eval "byte=\${$i} other=\${$((i + 20)):-0}"
    printf %02x $((byte ^ other))
    i=$((i + 1))
  done
}
# Base 32 as in store paths: groups of five bits, the last ones first.
base32() {
  # shellcheck disable=SC2046
  set -- $(bytes "$1") 0
  k=$(((($# - 1) * 8 + 4) / 5))
  text=
  while [ $k -gt 0 ]; do
    k=$((k - 1))
    at=$((k * 5 / 8))
    eval "pair=\$((\${$((at + 1))} + 256 * \${$((at + 2)):-0}))"
    eval "text=\$text\$letter$(((pair >> (k * 5 % 8)) % 32))"
  done
  echo "$text"
}
# A text inside of a derivation: quotes and backslashes are marked.
quoted() { printf %s "$1" | sed 's/[\\"]/\\&/g'; }
name_of() { name=${1##*/}; name=${name#*-}; echo "${name%.drv}"; }

# What all of them are made with: a platform, a builder, its arguments, variables. Outputs without a path get theirs when they are built.
run() { echo "\"x86_64-linux\",\"$shell/bin/sh\",[\"-ec\",\"$(quoted "$1")\"]"; }
path="(\"PATH\",\"$shell/bin\")"

outputs= texts= commands= n=0
for file in $(ls "$source"); do
  # It has the text and not the folder, so that it stays what it is when another file changes.
  text="(\"text\",\"$(quoted "$(cat "$source/$file")")\")"
  part="Derive([(\"out\",\"\",\"\",\"\")],[],[\"$shell\"],$(run 'echo "$text" | tr a-z A-Z > $out'),[$path,(\"out\",\"\"),$text])"
  place=/$(base32 "$(sha256 "nix-output:$file.drv")")
  outputs="$outputs${outputs:+,}(\"$file.drv\",\"\",\"text:sha256\",\"\")"
  texts="$texts,(\"$file.drv\",\"$place\"),(\"text$n\",\"$(quoted "$part")\")"
  commands="${commands}printf %s \"\$text$n\" > $place; "
  n=$((n + 1))
done
term="Derive([$outputs],[],[\"$shell\"],$(run "$commands"),[$path$texts])"
printf %s "$term" > "$parts"

# Where it will be: its name here is only for the time of this build.
digest=$(base32 "$(fold "$(sha256 "text:$shell:sha256:$(sha256 "$term"):/nix/store:$(name_of "$parts").drv")")")
needed= inputs=
for file in $(ls "$source"); do
  above=$(sha256 "nix-upstream-output:$digest:$(name_of "$parts")-$file.drv")
  needed="$needed /$(base32 "$(sha256 "nix-computed-output:$(base32 "$(fold "$above")"):out")")"
  inputs="$inputs${inputs:+,}(\"$file.drv\",[\"out\"])"
done
printf %s "DrvWithVersion(\"xp-dyn-drv\",[(\"out\",\"\",\"\",\"\")],[(\"$parts\",([],[$inputs]))],[\"$shell\"],$(run "cat$needed > \$out"),[$path,(\"out\",\"\")])" > "$out"

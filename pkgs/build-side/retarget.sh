# Runs a build script that is written for x86_64 with the words of another machine in their place.
#
#   script   the script; words   lines, by turns a text of the script and what stands in its place
set -euo pipefail
text=$(< "$script")
while IFS= read -r from && IFS= read -r to; do
  # A word that is gone would build for the wrong machine, or fail far from here.
  case $text in
    *"$from"*) ;;
    *)
      echo "the script does not say: $from"
      exit 1
      ;;
  esac
  text=${text//"$from"/"$to"}
done <<< "$words"
unset words from to
eval "$text"

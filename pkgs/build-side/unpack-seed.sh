# Makes one store path of binary Debian packages: the toolchain everything else is built with.
#
# Run by a static busybox as `busybox sh unpack-seed.sh`; no other program exists yet.
#   busybox      a directory with bin/busybox
#   debs         the packages, unpacked in this order
#   links        "NAME=TARGET …": symlinks to make in bin
#   interpreter, libraryPath, tools
#                for an addition to a seed that exists already: its dynamic loader, its libraries, its bin
set -eu
umask 022

mkdir -p "$NIX_BUILD_TOP/applets"
PATH=$NIX_BUILD_TOP/applets
for applet in $("$busybox/bin/busybox" --list); do
  "$busybox/bin/busybox" ln -s "$busybox/bin/busybox" "$PATH/$applet"
done
export PATH

phase() { printf '@nix {"action":"setPhase","phase":"%s"}\n' "$1" >&"${NIX_LOG_FD:-2}"; }

phase unpack
mkdir -p "$out/bin" "$out/lib"
# One flat tree: /usr, /sbin and /lib64 of the packages all arrive in bin and lib.
ln -s . "$out/usr"
ln -s bin "$out/sbin"
ln -s lib "$out/lib64"
for deb in $debs; do
  ar p "$deb" data.tar.xz | unxz | tar -x -o -C "$out" -f -
done
chmod -R u+w "$out"
rm -rf "$out/etc" "$out/var"
for unused in doc man locale lintian info bug bash-completion gdb; do rm -rf "$out/share/$unused"; done
find "$out" -type l | while read -r link; do
  target=$(readlink "$link")
  case $target in
    /*)
      rm "$link"
      [ ! -e "$out$target" ] || ln -s "$out$target" "$link"
      ;;
  esac
done

phase patch
triple=x86_64-linux-gnu
: "${interpreter:=$out/lib/$triple/ld-linux-x86-64.so.2}"
runpath=$out/lib/$triple${libraryPath:+:$libraryPath}
: "${tools:=$out/bin}"
: "${libraryPath:=$out/lib/$triple}"

# Patchelf must not rewrite the program and the libraries it is running from.
mkdir "$NIX_BUILD_TOP/patchelf"
for file in ld-linux-x86-64.so.2 libc.so.6 libm.so.6 libstdc++.so.6 libgcc_s.so.1; do
  cp -L "$libraryPath/$file" "$NIX_BUILD_TOP/patchelf/$file"
done
cp -L "$tools/patchelf" "$NIX_BUILD_TOP/patchelf/patchelf"
patchelf() {
  "$NIX_BUILD_TOP/patchelf/ld-linux-x86-64.so.2" --library-path "$NIX_BUILD_TOP/patchelf" \
    "$NIX_BUILD_TOP/patchelf/patchelf" "$@"
}

# The loader and libc itself have no dependencies to find, and are too delicate to rewrite.
find "$out" -type f \( -perm -100 -o -name '*.so' -o -name '*.so.*' \) \
  ! -name 'ld-linux-x86-64.so.2' ! -name 'libc.so.6' > "$NIX_BUILD_TOP/candidates"
libraries= programs= scripts=0
while read -r file; do
  magic=
  IFS= read -r -n 4 magic < "$file" || true
  case $magic in
    *ELF)
      if [ -x "$file" ] && patchelf --print-interpreter "$file" > /dev/null 2>&1; then
        programs="$programs $file"
      else
        libraries="$libraries $file"
      fi
      ;;
    '#!'*)
      IFS= read -r line < "$file" || true
      case $line in
        '#!'*/bin/env\ *) new=${line#*/bin/env } ;;
        '#!'*/bin/*) new=${line##*/bin/} ;;
        *) continue ;;
      esac
      sed -i "1s|.*|#!$tools/$new|" "$file"
      scripts=$((scripts + 1))
      ;;
  esac
done < "$NIX_BUILD_TOP/candidates"
for file in $programs; do patchelf --set-interpreter "$interpreter" --set-rpath "$runpath" "$file"; done
# Static programs have no dynamic section and are left as they are.
for file in $libraries; do patchelf --set-rpath "$runpath" "$file" 2> /dev/null || echo "left as it is: $file"; done
echo "patched $(echo $programs | wc -w) programs, $(echo $libraries | wc -w) libraries, $scripts scripts"

for link in ${links:-}; do
  rm -f "$out/bin/${link%%=*}"
  ln -s "${link#*=}" "$out/bin/${link%%=*}"
done

# Scripts that name their place of installation: their own programs lie here, all others in the seed.
if [ -n "${relocate:-}" ]; then
  expression="s|/usr/share\\>|$out/share|g; s|\\([=\" ]\\)/bin/\\(sed\\|grep\\)\\>|\\1$tools/\\2|g"
  for program in "$out"/bin/*; do
    name=${program##*/}
    expression="$expression; s|/usr/bin/$name\\>|$program|g"
  done
  # Frozen m4 state counts its bytes, so it stays as it is.
  find "$out/bin" "$out/share" -type f ! -name '*.m4f' -exec grep -lI -e /usr/share -e /usr/bin -e /bin/sed {} + | while read -r file; do
    sed -i "$expression; s|/usr/bin/|$tools/|g" "$file"
  done
fi

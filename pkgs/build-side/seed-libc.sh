# Takes the C library, its headers and the kernel's headers out of Debian packages into a path of their own,
# so that programs run by later builds do not hold on to the toolchain.
#
#   seed   the toolchain; debs   libc6, libc6-dev, linux-libc-dev
set -eu
umask 022
PATH=$seed/bin

mkdir root
for deb in $debs; do ar p "$deb" data.tar.xz | tar -xJ --no-same-owner -C root; done
mkdir -p "$out/lib" "$out/include"
triple=x86_64-linux-gnu
for directory in root/lib/$triple root/usr/lib/$triple; do cp -a "$directory/." "$out/lib/"; done
cp -a root/usr/include/. "$out/include/"
cp -a root/usr/include/$triple/. "$out/include/"
rm -rf "$out/include/$triple"
chmod -R u+w "$out"

# Development symlinks are absolute in the packages.
find "$out/lib" -type l | while read -r link; do
  target=$(readlink "$link")
  case $target in
    /*)
      rm "$link"
      [ ! -e "$out/lib/${target##*/}" ] || ln -s "${target##*/}" "$link"
      ;;
  esac
done
# libc.so, libm.so and libm.a are linker scripts.
grep -lI "/lib/$triple" "$out"/lib/*.so "$out"/lib/*.a | while read -r script; do
  sed -i "s|/usr/lib/$triple/|$out/lib/|g; s|/lib/$triple/|$out/lib/|g; s|/lib64/|$out/lib/|g" "$script"
done
for library in "$out"/lib/*.so.[0-9]*; do
  case $library in *ld-linux* | *libc.so.6) continue ;; esac
  [ -L "$library" ] || patchelf --set-rpath "$out/lib" "$library"
done

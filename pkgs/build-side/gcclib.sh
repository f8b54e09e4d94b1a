# Takes the compiler's own run-time libraries into a small path, so that no run-time closure holds the compiler.
#
#   seed   where they come from; libc   the C library they are to find
set -eu
umask 022
PATH=$seed/bin
mkdir -p "$out/lib"
for library in libgcc_s.so.1 libstdc++.so.6 libatomic.so.1; do
  cp -L "$seed/lib/x86_64-linux-gnu/$library" "$out/lib/$library"
  chmod u+w "$out/lib/$library"
  patchelf --set-rpath "$out/lib:$libc/lib" "$out/lib/$library"
done
cp "$seed/lib/gcc/x86_64-linux-gnu/12/libstdc++.a" "$out/lib/"
cp "$seed/lib/gcc/x86_64-linux-gnu/12/libgcc_s.so" "$out/lib/"
ln -s libstdc++.so.6 "$out/lib/libstdc++.so"
ln -s libatomic.so.1 "$out/lib/libatomic.so"

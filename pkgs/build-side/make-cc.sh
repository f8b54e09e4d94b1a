# Makes the compiler commands for one C library out of the wrapper's text.
#
#   seed, libc, gcclib   paths to write into the wrapper; wrapper   its text
set -eu
umask 022
PATH=$seed/bin
mkdir -p "$out/bin"
for tool in gcc g++ cpp; do
  sed "s|@seed@|$seed|g; s|@libc@|$libc|g; s|@gcclib@|$gcclib|g; s|@tool@|$tool|g" "$wrapper" > "$out/bin/$tool"
  chmod +x "$out/bin/$tool"
done
ln -s gcc "$out/bin/cc"
ln -s g++ "$out/bin/c++"
for tool in as ld ld.bfd ar nm ranlib strip objcopy objdump readelf size strings; do
  ln -s "$seed/bin/x86_64-linux-gnu-$tool" "$out/bin/$tool"
done
for tool in ar nm ranlib; do ln -s "$seed/bin/x86_64-linux-gnu-gcc-$tool-12" "$out/bin/gcc-$tool"; done

# Makes the compiler commands that run here for programs that run on another machine, out of the native wrapper's text.
#
#   seed, cross, libc, gcclib   paths to write into the wrapper; wrapper   its text
#   target, loader              names of the machine and of its dynamic loader; native   the compiler for programs of the build
set -eu
umask 022
PATH=$seed/bin
mkdir -p "$out/bin"
for tool in gcc g++ cpp; do
  program=$out/bin/$target-$tool
  sed "
    s|@seed@/bin/x86_64-linux-gnu-|$cross/bin/$target-|
    s|-ffile-prefix-map=@seed@=/seed|& -ffile-prefix-map=$cross=/seed|
    s|ld-linux-x86-64.so.2|$loader|
    s|@seed@|$seed|g; s|@libc@|$libc|g; s|@gcclib@|$gcclib|g; s|@tool@|$tool|g
  " "$wrapper" > "$program"
  ! grep -n x86.64 "$program"
  chmod +x "$program"
done
ln -s "$target-gcc" "$out/bin/$target-cc"
ln -s "$target-g++" "$out/bin/$target-c++"
for tool in as ld ld.bfd ar nm ranlib strip objcopy objdump readelf size strings; do
  ln -s "$cross/bin/$target-$tool" "$out/bin/$target-$tool"
done
for tool in ar nm ranlib; do ln -s "$cross/bin/$target-gcc-$tool-12" "$out/bin/$target-gcc-$tool"; done

# Programs of the build itself are compiled without the flags that are meant for the other machine.
for tool in gcc g++ cpp cc c++; do
  cat > "$out/bin/$tool" << END
#!$seed/bin/bash
unset NIX_CFLAGS_COMPILE NIX_LDFLAGS NIX_STATIC
exec $native/bin/$tool "\$@"
END
  chmod +x "$out/bin/$tool"
done

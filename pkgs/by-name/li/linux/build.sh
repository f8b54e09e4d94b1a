# Builds a kernel with the seed's tools alone, so that it needs no package of the set.
#
#   seed, cc, libelf   tools, compiler and the library objtool links; src   the kernel's sources
#   config             the wanted configuration, checked against the resulting one
set -euo pipefail
umask 022
export PATH=$cc/bin:$seed/bin SHELL=$seed/bin/bash CONFIG_SHELL=$seed/bin/bash
export PERL5LIB=$seed/share/perl5:$seed/lib/x86_64-linux-gnu/perl-base:$seed/lib/x86_64-linux-gnu/perl/5.36:$seed/share/perl/5.36
export BISON_PKGDATADIR=$seed/share/bison M4=$seed/bin/m4
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=1
export KBUILD_BUILD_TIMESTAMP=@1 KBUILD_BUILD_USER=floe KBUILD_BUILD_HOST=localhost KBUILD_BUILD_VERSION=1
export NIX_CFLAGS_COMPILE="-isystem $libelf/include"
export NIX_LDFLAGS="-L$libelf/lib/x86_64-linux-gnu -Wl,-rpath,$libelf/lib/x86_64-linux-gnu"

phase() { printf '@nix {"action":"setPhase","phase":"%s"}\n' "$1" >&"${NIX_LOG_FD:-2}"; }

phase unpack
mkdir source
# A fifth of the tree by size, read by nothing that is configured here.
tar -xf "$src" -C source --strip-components=1 --no-same-owner --exclude='*/drivers/gpu/drm/amd/include/*'
cd source

phase patch
grep -rlE '^#! ?/(usr/)?bin/(env|perl|python3|bash|sh|awk)' scripts tools/objtool tools/build arch/x86 kernel lib 2> /dev/null |
  while read -r script; do
    sed -i -E "1s,^#! ?/usr/bin/env +(-S )?,#!$seed/bin/,; 1s,^#! ?/(usr/)?bin/(perl|python3|bash|sh|awk),#!$seed/bin/\2," "$script"
  done

phase configure
mkdir ../build
kernel_make() { make ARCH=x86_64 HOSTCC=gcc CC=gcc SHELL="$SHELL" "$@"; }
kernel_make O=../build KCONFIG_ALLCONFIG="$config" allnoconfig
cd ../build
while read -r line; do
  option=${line%%=*}
  case $line in
    CONFIG_*=n) ! grep -q "^$option=[ym]" .config || { echo "the kernel insists on $option"; } ;;
    CONFIG_*) grep -qxF "$line" .config || { echo "the kernel does not accept $line"; } ;;
  esac
done < "$config"

phase build
kernel_make -j"$NIX_BUILD_CORES" bzImage

phase install
mkdir -p "$out"
cp arch/x86/boot/bzImage "$out/bzImage"
# Uncompressed for a direct boot: an emulated processor takes a second and more to unpack bzImage.
strip -s -o "$out/vmlinux" vmlinux
cp .config "$out/config"
cp System.map "$out/System.map"

phase check
readelf -n "$out/vmlinux" | grep -q Xen || { echo "vmlinux has no PVH entry note"; exit 1; }
[ "$(make -s kernelrelease)" = "$version-floe" ]

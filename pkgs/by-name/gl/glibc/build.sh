# Builds the C library with the seed's bare compiler: it needs no C library to be built.
#
#   seed   the toolchain; headers   the kernel's; src   the sources
set -euo pipefail
umask 022
export PATH=$seed/bin
mkdir compiler
ln -s "$seed/bin/x86_64-linux-gnu-gcc-12" compiler/gcc
export PATH=$PWD/compiler:$PATH SHELL=$seed/bin/bash CONFIG_SHELL=$seed/bin/bash
export PERL5LIB=$seed/share/perl5:$seed/lib/x86_64-linux-gnu/perl-base:$seed/lib/x86_64-linux-gnu/perl/5.36:$seed/share/perl/5.36
export BISON_PKGDATADIR=$seed/share/bison M4=$seed/bin/m4
export LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=1

phase() { printf '@nix {"action":"setPhase","phase":"%s"}\n' "$1" >&"${NIX_LOG_FD:-2}"; }

phase unpack
mkdir source build
tar -xf "$src" -C source --strip-components=1 --no-same-owner

phase patch
cd source
# The manual needs makeinfo, which the seed leaves out.
sed -i 's/ manual / /' Makeconfig
# No cache outside the store may decide which libraries are loaded.
sed -i "s#SYSCONFDIR \"/ld.so.cache\"#\"$out/etc/ld.so.cache\"#" sysdeps/generic/dl-cache.h

phase configure
cd ../build
printf 'rtlddir = %s\nzonedir = /etc/zoneinfo\n' "$out/lib" > configparms
../source/configure --prefix="$out" --sysconfdir=/etc --libexecdir="$out/libexec" --with-headers="$headers/include" \
  --build=x86_64-linux-gnu --host=x86_64-linux-gnu \
  --disable-werror --enable-kernel=4.19 --disable-nscd --disable-profile --disable-timezone-tools --without-selinux \
  --enable-stack-protector=strong --enable-bind-now \
  CC="gcc -ffile-prefix-map=$NIX_BUILD_TOP=." CXX=no libc_cv_use_default_link=yes

phase build
make -j"$NIX_BUILD_CORES" SHELL="$SHELL"

phase install
make install sysconfdir="$out/etc" SHELL="$SHELL"
cp -a "$headers/include/." "$out/include/"
chmod -R u+w "$out/include"
rm -rf "$out/share/i18n" "$out/share/info" "$out/share/locale" "$out/var"
# A perl script, and the seed has the only perl.
rm -f "$out/bin/mtrace"
for script in ldd tzselect sotruss xtrace catchsegv; do
  [ ! -e "$out/bin/$script" ] || sed -i '1s,.*,#!/bin/sh,' "$out/bin/$script"
done
# pthread_exit() and pthread_cancel() load the unwinder by name, from a library without a run path.
cp -L "$seed/lib/x86_64-linux-gnu/libgcc_s.so.1" "$out/lib/"
chmod u+w "$out/lib/libgcc_s.so.1"
patchelf --set-rpath "$out/lib" "$out/lib/libgcc_s.so.1"

phase fixup
find "$out" -type f \( -perm -100 -o -name '*.so*' \) | while read -r file; do
  if [ "$(head -c4 "$file")" = $'\177ELF' ]; then strip -S -p "$file"; fi
done
find "$out/lib" -name '*.a' -exec sh -c 'strip -S -p -D "$1" 2> /dev/null || true' - {} \;

phase check
"$out/bin/getconf" GNU_LIBC_VERSION | grep -x "glibc $version"

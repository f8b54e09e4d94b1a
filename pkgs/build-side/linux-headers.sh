# Takes the kernel's headers for user space out of their Debian package; plain text, no program.
set -eu
umask 022
PATH=$seed/bin
mkdir root
ar p "$deb" data.tar.xz | tar -xJ --no-same-owner -C root
mkdir -p "$out"
cp -a root/usr/include "$out/include"
mv "$out/include/x86_64-linux-gnu/asm" "$out/include/asm"
rm -r "$out/include/x86_64-linux-gnu"

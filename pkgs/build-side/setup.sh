# Builds one package in phases: unpack, patch, configure, build, install, fixup, check.
#
# Each phase can be replaced by a variable with commands of its name (`configurePhase`), and extended by commands before
# and after it (`preConfigure`, `postConfigure`). Lists of flags are shell words in which variables expand.
#
#   seed, cc                        the toolchain's programs; the compiler
#   src, patches                    a source archive or tree; files to apply with patch -p1
#   nativeBuildInputs, buildInputs  what runs during the build; what is compiled and linked against
#   check                           commands that try what was built
set -eu
umask 022

export PATH= SHELL=$seed/bin/bash CONFIG_SHELL=$seed/bin/bash
export CC=gcc CXX=g++ LC_ALL=C TZ=UTC SOURCE_DATE_EPOCH=1
# The seed's interpreters look for their libraries where Debian has them.
export PERL5LIB=$seed/share/perl5:$seed/lib/x86_64-linux-gnu/perl-base:$seed/lib/x86_64-linux-gnu/perl/5.36:$seed/share/perl/5.36
export BISON_PKGDATADIR=$seed/share/bison M4=$seed/bin/m4 PYTHONDONTWRITEBYTECODE=1
export NIX_CFLAGS_COMPILE="${NIX_CFLAGS_COMPILE:-}" NIX_LDFLAGS="${NIX_LDFLAGS:-} -Wl,-rpath,$out/lib"
export PKG_CONFIG_LIBDIR=$out/lib/pkgconfig ACLOCAL_PATH=$seed/share/aclocal
runPaths=$out/lib

for input in ${nativeBuildInputs:-}; do
  PATH=$PATH${PATH:+:}$input/bin
  [ ! -d "$input/share/aclocal" ] || ACLOCAL_PATH=$input/share/aclocal:$ACLOCAL_PATH
done
PATH=$PATH${PATH:+:}$cc/bin:$seed/bin
for input in ${buildInputs:-}; do
  [ ! -d "$input/include" ] || NIX_CFLAGS_COMPILE+=" -isystem $input/include"
  if [ -d "$input/lib" ]; then
    NIX_LDFLAGS+=" -L$input/lib -Wl,-rpath,$input/lib"
    runPaths+=:$input/lib
  fi
  for directory in "$input/lib/pkgconfig" "$input/share/pkgconfig"; do
    [ ! -d "$directory" ] || PKG_CONFIG_LIBDIR+=:$directory
  done
done

# Names that the commands of a package may use.
top=$NIX_BUILD_TOP
jobs=$NIX_BUILD_CORES

# Runs a command with the words of a list of flags: `withFlags "$makeFlags" make`.
withFlags() {
  local flags
  eval "flags=($1)"
  shift
  "$@" "${flags[@]}"
}

# Gives scripts of a source tree interpreters that exist, keeping their times so that make sees no change.
patchShebangs() {
  local file line new
  find "$@" -type f -perm -100 | while IFS= read -r file; do
    IFS= read -r line < "$file" 2> /dev/null || true
    case $line in
      '#!'*/bash* | '#!'*/env\ * | '#!'*/perl* | '#!'*/python* | '#!'*/awk*) ;;
      *) continue ;;
    esac
    new=$(printf '%s\n' "$line" | sed -E "s,^#! *(/usr)?/bin/env +(-S +)?,#!$seed/bin/,; s,^#! *(/usr)?(/local)?/bin/(bash|perl|python3?|awk),#!$seed/bin/\\3,")
    [ "$new" != "$line" ] || continue
    touch -r "$file" "$top/.time"
    sed -i "1s|.*|$new|" "$file"
    touch -r "$top/.time" "$file"
  done 2> /dev/null
}

unpackPhase() {
  mkdir "$top/source"
  cd "$top/source"
  [ -n "${src:-}" ] || return 0
  if [ -d "$src" ]; then
    cp -r "$src/." .
    chmod -R u+w .
  else
    tar -xf "$src" --strip-components=1 --no-same-owner
  fi
  cd "${sourceRoot:-.}"
}

patchPhase() {
  local file
  for file in ${patches:-}; do
    echo "applying ${file##*/}"
    patch -p1 < "$file"
  done
  patchShebangs .
}

configurePhase() { :; }
buildPhase() { withFlags "${makeFlags:-} ${buildFlags:-}" make -j"$jobs"; }
installPhase() { withFlags "${makeFlags:-} ${installFlags:-}" make install; }

fixupPhase() {
  local file
  find "$out" -name '*.la' -delete
  # Machines are made without documentation: it is read elsewhere, and would double some closures.
  [ -n "${keepDocumentation:-}" ] || (cd "$out" && rm -rf share/man share/info share/doc share/gtk-doc share/locale share/bash-completion share/zsh)
  find "$out" -type f \( -perm -100 -o -name '*.so*' -o -name '*.a' -o -name '*.o' \) | while IFS= read -r file; do
    chmod u+w "$file"
    case $(head -c4 "$file" | tr -d '\0') in
      $'\177ELF') fixupElf "$file" ;;
      '!<ar') [ -n "${dontStrip:-}" ] || strip -S -p -D "$file" ;;
      '#!'*) fixupScript "$file" ;;
    esac
  done
  [ ! -d "$out/share" ] || find "$out/share" -type d -empty -delete
}

# Strips a program or library and leaves it the run paths it uses, all of them in the store.
fixupElf() {
  local file=$1 old paths path
  case $file in
    *.o) strip -S -p "$file"; return ;;
  esac
  [ -n "${dontStrip:-}" ] || strip --strip-unneeded -p "$file"
  # Static programs have none.
  old=$(patchelf --print-rpath "$file" 2> /dev/null) || return 0
  patchelf --set-rpath "$old${old:+:}$runPaths" "$file"
  patchelf --shrink-rpath "$file"
  paths=$(patchelf --print-rpath "$file")
  for path in ${paths//:/ } $(patchelf --print-interpreter "$file" 2> /dev/null); do
    case $path in
      "$NIX_STORE"/* | '$ORIGIN'*) ;;
      *) echo "$file looks for libraries outside the store: $path"; return 1 ;;
    esac
  done
}

# Gives installed scripts the shell of the machine they will run on.
fixupScript() {
  local line
  IFS= read -r line < "$1" || true
  case $line in
    '#!'*/bin/sh | '#!'*/bin/sh\ *) sed -i -E '1s,^#! *[^ ]+,#!/bin/sh,' "$1" ;;
    '#!'*/bin/bash | '#!'*/bin/bash\ *) sed -i -E "1s,^#! *[^ ]+,#!${runtimeShell:-/bin/sh}," "$1" ;;
  esac
}

checkPhase() {
  mkdir "$top/check"
  cd "$top/check"
  PATH=$out/bin:$out/sbin:$PATH
  eval "${check:-}"
}

runPhase() {
  local before=pre${1^} after=post${1^} body=${1}Phase
  printf '@nix {"action":"setPhase","phase":"%s"}\n' "$1" >&"${NIX_LOG_FD:-2}"
  eval "${!before:-}"
  if [ -n "${!body:-}" ]; then eval "${!body}"; else "$body"; fi
  eval "${!after:-}"
}

for each in unpack patch configure build install fixup ${check:+check}; do runPhase "$each"; done

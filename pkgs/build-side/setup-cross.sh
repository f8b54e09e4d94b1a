# Makes the phases of setup.sh build for another machine. Sourced before the first of them.
#
#   crossTarget, crossProcessor   names of the machine: aarch64-linux-gnu, aarch64
export CC=$crossTarget-gcc CXX=$crossTarget-g++ CC_FOR_BUILD=gcc BUILD_CC=gcc
for tool in ar ranlib nm strip objcopy objdump readelf; do export "${tool^^}=$crossTarget-$tool"; done
unset tool

# What fixup calls has to know the machine's files.
strip() { "$STRIP" "$@"; }

cat > "$top/cross.ini" << END
[binaries]
c = '$CC'
cpp = '$CXX'
ar = '$AR'
nm = '$NM'
strip = '$STRIP'
pkgconfig = 'pkg-config'

[host_machine]
system = 'linux'
cpu_family = '$crossProcessor'
cpu = '$crossProcessor'
endian = 'little'
END

# What was built does not run here. What can be seen without running it: that all of it is made for the machine, and that it
# will find every library it needs.
checkPhase() {
  local file library path found
  find "$out" -type f \( -perm -100 -o -name '*.so*' \) | while IFS= read -r file; do
    [ "$(head -c4 "$file" | tr -d '\0')" = $'\177ELF' ] || continue
    "$READELF" -h "$file" | grep -qi "Machine: *$crossProcessor" || {
      echo "$file is not made for $crossTarget"
      return 1
    }
    # Static programs need none.
    for library in $(patchelf --print-needed "$file" 2> /dev/null); do
      found=
      for path in $(patchelf --print-rpath "$file" | tr : ' '); do
        [ ! -e "${path//'$ORIGIN'/${file%/*}}/$library" ] || found=1
      done
      [ -n "$found" ] || {
        echo "$file needs $library, which lies nowhere on its run path"
        return 1
      }
    done
  done
}

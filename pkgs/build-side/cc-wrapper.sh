#!@seed@/bin/bash
# Calls the seed's @tool@ for one C library: its headers, start files, dynamic loader and run paths.
#
# NIX_CFLAGS_COMPILE and NIX_LDFLAGS come from the dependency lists of the build; NIX_STATIC links without libc.so.
link=1 static=${NIX_STATIC:-} shared= bare= files=
[ '@tool@' != cpp ] || link=
for argument in "$@"; do
  case $argument in
    -c | -S | -E | -M | -MM | -fsyntax-only | -r) link= ;;
    -static) static=1 ;;
    -shared) shared=1 ;;
    -nostdlib) bare=1 ;;
    -) files=1 ;;
    -*) ;;
    *) files=1 ;;
  esac
done
# A mere question, like --version or -v, must not become a link.
[ -n "$files" ] || link=
before=(
  -B@libc@/lib/
  -idirafter @libc@/include
  -fno-canonical-system-headers
  "-ffile-prefix-map=$PWD=."
  -ffile-prefix-map=@seed@=/seed
  ${NIX_BUILD_TOP:+"-ffile-prefix-map=$NIX_BUILD_TOP=."}
  $NIX_CFLAGS_COMPILE
)
after=()
if [ -n "$link" ]; then
  after=(-L@libc@/lib -L@gcclib@/lib $NIX_LDFLAGS)
  if [ -n "$static" ]; then
    before+=(-static)
  elif [ -z "$bare" ]; then
    after+=(-Wl,-rpath,@libc@/lib -Wl,-rpath,@gcclib@/lib)
    [ -n "$shared" ] || after+=(-Wl,-dynamic-linker=@libc@/lib/ld-linux-x86-64.so.2)
  fi
fi
exec @seed@/bin/x86_64-linux-gnu-@tool@-12 "${before[@]}" "$@" "${after[@]}"

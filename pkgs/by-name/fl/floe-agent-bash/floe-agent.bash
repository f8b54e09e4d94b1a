#!/bin/bash
# The hand of a machine test in a guest that cannot run the one in C: it needs bash 5, the coreutils, and nothing else.
#
# Usage: floe-agent [--name PORT] | --fd N | --pipe PORT COMMAND [ARGUMENT...]
#
# It speaks the same protocol, see vm-tests/driver/agent-protocol.ts, and does less: a command begins when all its input is there and is
# heard of when it has ended, nothing has a terminal, there are no connections, and what is waited for is looked at again and again.
#
# Several processes write to the port. Each frame is one write of less than 32 KiB, which the kernel takes as a whole.
LC_ALL=C
CHUNK=32000
PAUSE=0.2

# A machine that boots mounts /tmp, or sweeps it, after we have begun; /run is there from its first stage on.
state=$(mktemp -d -p "${TMPDIR:-/run}") || exit 1
trap 'rm -rf "$state"' EXIT
declare -A order job
nonce=$(od -An -tx8 -N8 /dev/urandom)

# u32 NUMBER, u64 NUMBER: its bytes as printf writes them, in REPLY.
u32() { printf -v REPLY '\\x%02x\\x%02x\\x%02x\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }
u64() { u32 "$1"; local low=$REPLY; u32 $(($1 >> 32)); REPLY=$low$REPLY; }

# header TYPE STREAM SIZE: the begin of a frame, in REPLY.
header() {
  u32 $((5 + $3)); local size=$REPLY
  u32 "$2"; REPLY=$size\\x$1$REPLY
}

# send TYPE STREAM SIZE BYTES [TEXT]: bytes as printf writes them, and a text as it is; the size is that of both.
send() {
  header "$1" "$2" "$3"
  printf "$REPLY$4%s" "${5-}" >&3
}

# send_failure STREAM ERROR WORDS
send_failure() { u32 "$2"; send 51 "$1" $((4 + ${#3})) "$REPLY" "$3"; }

# send_file TYPE STREAM FILE: its content, in pieces.
send_file() {
  local left piece in
  left=$(stat -L -c %s -- "$3") && exec {in}< "$3" || return
  while ((left > 0)); do
    piece=$((left < CHUNK ? left : CHUNK))
    header "$1" "$2" "$piece"
    { printf "$REPLY"; head -c "$piece" <&"$in"; } > "$state/$2.frame"
    dd if="$state/$2.frame" bs=64k status=none >&3
    left=$((left - piece))
  done
  exec {in}<&-
}

# Byte by byte where it matters, since bash's own reading takes no more from the port than it gives, and zeros are what ends a text.
byte() {
  local char
  IFS= read -r -d '' -n 1 char <&3 || return 1
  printf -v BYTE %d "'$char"
  [ -n "$char" ] || BYTE=0
  BYTE=$((BYTE & 255))
}
number() {
  local at value=0
  for ((at = 0; at < $1; at++)); do byte || return 1; value=$((value | BYTE << 8 * at)); done
  NUMBER=$value
}
text() { IFS= read -r -d '' TEXT <&3; }
list() { # in LIST
  local count
  number 4; count=$NUMBER LIST=()
  while ((count-- > 0)); do text; LIST+=("$TEXT"); done
}
skip() { head -c "$1" <&3 > /dev/null; }

hello() {
  local boot_id= system profile lines
  read -r boot_id < /proc/sys/kernel/random/boot_id
  system=$(readlink /run/booted-system) profile=$(readlink /nix/var/nix/profiles/system)
  profile=${profile#system-} profile=${profile%-link}
  lines="version=2-bash
epoch=$1
nonce=${nonce// /}
boot_id=$boot_id
system=$system
generation=${profile:-0}
"
  header 02 0 "${#lines}"
  printf "\\0\\0\\0\\0FLOE-SYNC-1\\n$REPLY%s" "$lines" >&3
}

# What the host does not know about must not go on.
begin_epoch() {
  local file pid
  for file in "$state"/*.pid; do
    [ -e "$file" ] && read -r pid < "$file" && kill -KILL -- "-$pid"
  done
  for pid in "${job[@]}"; do kill -KILL -- "-$pid"; done
  rm -rf "${state:?}"/*
  order=() job=()
  hello "$1"
} 2> /dev/null

# exited STREAM KIND VALUE [MICROSECONDS]
exited() {
  u32 "$3"; local value=$REPLY
  u64 "${4-0}"; send 23 "$1" 14 "\\x0$2$value$REPLY\\x00"
}

# run STREAM: the command that was ordered; its arguments are in argv, env, cwd and user.
run() {
  local place=$state/$1 begin=${EPOCHREALTIME/[.,]/} status
  if [ -n "$user" ]; then
    id -- "$user" > /dev/null 2>&1 || { exited "$1" 2 3; return; }
    argv=(runuser -u "$user" -- "${argv[@]}")
  fi
  if ! type -P -- "${argv[0]}" > /dev/null || [ ! -d "${cwd:-.}" ]; then exited "$1" 2 2; return; fi
  set -m
  ( exec 3>&-; cd -- "${cwd:-.}" && exec env -- "${env[@]}" "${argv[@]}" ) < "$place.in" > "$place.out" 2> "$place.err" &
  echo $! > "$place.pid"
  # Bash says by itself that a signal has ended something.
  { wait $!; status=$?; } 2> /dev/null
  rm -f "$place.pid"
  local spent=$((${EPOCHREALTIME/[.,]/} - begin))
  send_file 21 "$1" "$place.out"
  send_file 22 "$1" "$place.err"
  # A shell cannot tell a signal from a status of that number.
  if ((status > 128 && status <= 192)); then exited "$1" 1 $((status - 128)) $spent; else exited "$1" 0 $status $spent; fi
  rm -f "$place".*
}

# put STREAM: the file that comes in, under its name once it is whole.
put_end() {
  local name mode place=$state/$1
  { IFS= read -r -d '' mode; IFS= read -r -d '' name; } < "$place.put" || return
  if words=$(chmod "$mode" -- "$name.floe-$1" 2>&1 && sync -- "$name.floe-$1" 2>&1 && mv -fT -- "$name.floe-$1" "$name" 2>&1); then
    send 50 "$1" 0 ''
  else
    send_failure "$1" 5 "cannot write \"$name\": ${words##*: }"
  fi
  rm -f "$place.put"
}

get() {
  local words
  if ! words=$(head -c 0 -- "$2" 2>&1); then send_failure "$1" 2 "cannot read \"$2\": ${words##*: }"; return; fi
  if [ -d "$2" ]; then send_failure "$1" 21 "cannot read \"$2\": Is a directory"; return; fi
  # A copy, since files of /proc have no size and others may change while they are read.
  cat -- "$2" > "$state/$1.get"
  send_file 34 "$1" "$state/$1.get"
  u32 "0$(stat -L -c %a -- "$2")"; send 35 "$1" 4 "$REPLY"
  rm -f "$state/$1".*
}

# listens PROTOCOL PORT ADDRESS
listens() {
  local file local_address state_now want mine wanted_state=0A
  [ "$1" = udp ] && wanted_state=07
  printf -v want %04X "$2"
  SEEN='nothing listens on the port'
  for file in "/proc/net/$1" "/proc/net/${1}6"; do
    [ -e "$file" ] || continue
    while read -r _ local_address _ state_now _; do
      [ "${local_address##*:}" = "$want" ] && [ "$state_now" = $wanted_state ] || continue
      mine=${local_address%:*}
      case $3,$mine in
        *,00000000 | *,00000000000000000000000000000000 | 127.*,0100007F | ::1,00000000000000000000000001000000) return 0 ;;
        127.* | ::1,*) SEEN='the port is open at another address only' ;;
        *) return 0 ;;
      esac
    done < "$file"
  done
  return 1
}

# is_so KIND WHAT EXTRA: whether a condition holds; SEEN is what is so otherwise.
is_so() {
  local line directory words
  case $1 in
    path)
      if [ ! -e "$2" ] && [ ! -L "$2" ]; then SEEN='No such file or directory'; return 1; fi
      SEEN='something else is there'
      case $3 in
        '') return 0 ;;
        file) [ -f "$2" ] ;;
        directory) [ -d "$2" ] ;;
        symlink) [ -L "$2" ] ;;
        socket) [ -S "$2" ] ;;
        fifo) [ -p "$2" ] ;;
        device) [ -b "$2" ] || [ -c "$2" ] ;;
      esac
      ;;
    tcp | udp) listens "$1" "$2" "$3" ;;
    unix)
      SEEN='nobody listens on the socket'
      while read -r line; do
        [ "${line#* 00010000 }" != "$line" ] && [ "${line% "$2"}" != "$line" ] && return 0
      done < /proc/net/unix
      return 1
      ;;
    process)
      SEEN="no process has \"$2\" in its command line"
      for directory in /proc/[0-9]*; do
        mapfile -d '' -t words < "$directory/cmdline" || continue
        case "${words[*]}" in *"$2"*) return 0 ;; esac
      done 2> /dev/null
      return 1
      ;;
  esac
}

# watch STREAM KIND WHAT EXTRA GONE
watch() {
  local told=
  while :; do
    if is_so "$2" "$3" "$4"; then
      [ "$5" = 0 ] && break
      SEEN='it is there'
    elif [ "$5" = 1 ]; then
      break
    fi
    [ "$SEEN" = "$told" ] || send 62 "$1" ${#SEEN} '' "$SEEN"
    told=$SEEN
    sleep $PAUSE
  done
  send 50 "$1" 0 ''
}

# begin STREAM COMMAND...: beside everything else, in a process group of its own.
begin() {
  set -m
  "${@:2}" 3>&3 &
  job[$1]=$!
  set +m
}

handle() { # TYPE STREAM SIZE
  local id=$2 size=$3 kind what extra
  case $1 in
    1) number 4 && begin_epoch "$NUMBER" ;;
    3) skip "$size"; send 04 "$id" 0 '' ;;
    16)
      list; argv=("${LIST[@]}"); list; env=("${LIST[@]}")
      text; cwd=$TEXT; text; user=$TEXT
      number 1; local terminal=$NUMBER; number 4
      if ((terminal)); then exited "$id" 2 25; return; fi
      order[$id]=$(declare -p argv env cwd user)
      : > "$state/$id.in"
      send 20 "$id" 4 '\x00\x00\x00\x00'
      ;;
    17)
      if ((size > 0)); then
        if [ -n "${order[$id]}" ]; then head -c "$size" <&3 >> "$state/$id.in"; else skip "$size"; fi
        u32 "$size"; send 24 "$id" 4 "$REPLY"
      elif [ -n "${order[$id]}" ]; then
        eval "${order[$id]}"
        unset "order[$id]"
        begin "$id" run "$id"
      fi
      ;;
    18)
      number "$size"
      if [ -e "$state/$id.pid" ] && read -r what < "$state/$id.pid"; then kill -s "$NUMBER" -- "-$what"
      elif [ -n "${job[$id]}" ] && [ ! -e "$state/$id.in" ]; then kill -KILL -- "-${job[$id]}"
      elif [ -e "$state/$id.put" ]; then
        { IFS= read -r -d '' _; IFS= read -r -d '' what; } < "$state/$id.put"
        rm -f -- "$what.floe-$id" "$state/$id.put"
      fi 2> /dev/null
      ;;
    48)
      number 4; text
      if : > "$TEXT.floe-$id"; then printf '%o\0%s\0' "$NUMBER" "$TEXT" > "$state/$id.put"
      else send_failure "$id" 2 "cannot write \"$TEXT\": No such file or directory"
      fi 2> /dev/null
      ;;
    49 | 54)
      if [ ! -e "$state/$id.put" ]; then skip "$size"; return; fi
      { IFS= read -r -d '' _; IFS= read -r -d '' what; } < "$state/$id.put"
      if (($1 == 49)); then head -c "$size" <&3 >> "$what.floe-$id"; else number 8; truncate -s "+$NUMBER" -- "$what.floe-$id"; fi ||
        { send_failure "$id" 28 "cannot write \"$what\": there is no room"; rm -f -- "$what.floe-$id" "$state/$id.put"; }
      ;;
    50) [ -e "$state/$id.put" ] && put_end "$id" ;;
    51) text; begin "$id" get "$id" "$TEXT" ;;
    64) skip "$size"; send_failure "$id" 95 'cannot reseed: bash has no way to do it at once' ;;
    65)
      number 8
      if date -s "@$((NUMBER / 1000000000)).$(printf %09d $((NUMBER % 1000000000)))" > /dev/null 2>&1; then send 50 "$id" 0 ''
      else send_failure "$id" 1 'cannot set the clock: Operation not permitted'
      fi
      ;;
    96) text; number 4; send_failure "$id" 95 "cannot connect to \"$TEXT\": an agent in bash carries no connections" ;;
    97)
      text; kind=$TEXT; text; what=$TEXT; text; extra=$TEXT; number 1
      case $kind,$what in
        path,[!/]* | unix,[!/]*) send_failure "$id" 22 "cannot watch \"$what\": Invalid argument" ;;
        *) begin "$id" watch "$id" "$kind" "$what" "$extra" "$NUMBER" ;;
      esac
      ;;
    *) skip "$size" ;;
  esac
}

# find_port NAME: its device, in REPLY. Its name is in sysfs before udev has run, and in a machine without udev.
find_port() {
  local file name
  while :; do
    [ -c "/dev/virtio-ports/$1" ] && { REPLY=/dev/virtio-ports/$1; return; }
    for file in /sys/class/virtio-ports/*/name; do
      [ -e "$file" ] && read -r name < "$file" && [ "$name" = "$1" ] && { file=${file%/name}; REPLY=/dev/${file##*/}; return; }
    done
    sleep 0.1
  done
}

name=org.floe.agent.0
case ${1-} in
  --pipe) find_port "$2"; shift 2; rm -rf "$state"; exec "$@" 1<> "$REPLY" ;;
  --fd) exec 3<&"$2" ;;
  --name) name=$2 ;&
  *) find_port "$name"; exec 3<> "$REPLY" ;;
esac
# What a service manager tells this process is not for the commands it runs.
unset INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET SYSTEMD_EXEC_PID

hello 0
synced=
while :; do
  # The end of the stream means that nobody is connected on the host's side yet.
  if [ -z "$synced" ]; then
    if IFS= read -r line <&3; then [ "${line%FLOE-SYNC-1}" = "$line" ] || synced=1; else sleep $PAUSE; fi 2> /dev/null
    continue
  fi
  number 4 || { sleep $PAUSE; continue; }
  length=$NUMBER
  # Zero is the begin of a mark, and what is too long is no frame.
  if ((length < 5 || length > 1 << 20)); then synced=; continue; fi
  number 1; type=$NUMBER; number 4
  handle "$type" "$NUMBER" $((length - 5))
done

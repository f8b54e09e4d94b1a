/**
 * The activation snippet that makes users and groups, from `$users_spec`: rows of tab-separated fields.
 *
 * Ids live in `/var/lib/floe/uid-map` and `gid-map` (name, tab, id), which only ever grow: a name gets its old
 * id back, and no id goes to a second name, since files of the first may be left. The maps are written before the
 * files that use them, and every file changes by one rename. Bash does it alone: each process would cost more.
 */
export const USERS_SNIPPET = `
maps=/var/lib/floe
if [[ -e $maps/users-applied && -s /etc/passwd && -s /etc/group && -s /etc/shadow ]]; then
  IFS= read -r -d '' applied < "$maps/users-applied" || :
  # Nothing new; files that the machine may change by hand are left alone, others are made anew.
  [[ $applied == "$users_spec" && $users_spec == mutable$'\\t1'* ]] && exit 0
fi

declare -A uid_of=() gid_of=() uid_used=() gid_used=() has_user=() has_group=() hash_of=() shadow_rest=()
mutable=1 group_rows=() user_rows=()
while IFS= read -r line; do
  case $line in
    mutable*) mutable=\${line#*$'\\t'} ;;
    group*) group_rows+=("$line") ;;
    user*) user_rows+=("$line") ;;
  esac
done <<< "$users_spec"

read_map() { # FILE NAMES IDS
  local -n names=$2 ids=$3
  [[ -e $1 ]] || return 0
  local name id
  while IFS=$'\\t' read -r name id; do names[$name]=$id ids[$id]=$name; done < "$1"
}
read_map "$maps/uid-map" uid_of uid_used
read_map "$maps/gid-map" gid_of gid_used
declare -A managed_user=() managed_group=()
for name in "\${!uid_of[@]}"; do managed_user[$name]=1; done
for name in "\${!gid_of[@]}"; do managed_group[$name]=1; done

# Ids of accounts made by hand are taken, too.
if [[ -e /etc/passwd ]]; then
  while IFS=: read -r name _ id _; do uid_used[$id]=\${uid_used[$id]:-$name}; uid_of[$name]=\${uid_of[$name]:-$id}; done < /etc/passwd
fi
if [[ -e /etc/group ]]; then
  while IFS=: read -r name _ id _; do gid_used[$id]=\${gid_used[$id]:-$name}; gid_of[$name]=\${gid_of[$name]:-$id}; done < /etc/group
fi
if [[ -e /etc/shadow ]]; then
  while IFS=: read -r name hash rest; do hash_of[$name]=$hash shadow_rest[$name]=$rest; done < /etc/shadow
fi

choose() { # NAME DECLARED KIND IDS USED: sets $id
  local -n ids=$4 used=$5
  local candidate
  if [[ $2 != - ]]; then id=$2
  elif [[ -v ids[$1] ]]; then id=\${ids[$1]}
  elif [[ $3 == normal ]]; then
    for (( candidate = 1000; candidate < 30000; candidate++ )); do [[ -v used[$candidate] ]] || break; done
    id=$candidate
  else
    for (( candidate = 999; candidate > 400; candidate-- )); do [[ -v used[$candidate] ]] || break; done
    id=$candidate
  fi
  ids[$1]=$id used[$id]=$1
}

# Declared ids first, so that none of them is given away.
for row in "\${group_rows[@]}"; do IFS=$'\\t' read -r _ name id _ <<< "$row"; [[ $id == - ]] || gid_used[$id]=$name; done
for row in "\${user_rows[@]}"; do IFS=$'\\t' read -r _ name id _ <<< "$row"; [[ $id == - ]] || uid_used[$id]=$name; done

group_text= passwd_text= shadow_text= homes=() unread=()
for row in "\${group_rows[@]}"; do
  IFS=$'\\t' read -r _ name id members <<< "$row"
  choose "$name" "$id" system gid_of gid_used
  [[ $members == - ]] && members=
  has_group[$name]=1
  managed_group[$name]=1
  group_text+="$name:x:$id:$members"$'\\n'
done
for row in "\${user_rows[@]}"; do
  IFS=$'\\t' read -r _ name id group home shell kind password description <<< "$row"
  choose "$name" "$id" "$kind" uid_of uid_used
  [[ $description == - ]] && description=
  has_user[$name]=1
  managed_user[$name]=1
  passwd_text+="$name:x:$id:\${gid_of[$group]}:$description:$home:$shell"$'\\n'
  # A plain "!" is our own sign for no password at all: one that is declared later takes its place.
  if [[ $mutable == 1 && -v hash_of[$name] && \${hash_of[$name]} != '!' ]]; then hash=\${hash_of[$name]}
  else
    hash='!'
    case $password in
      hash:*) hash=\${password#hash:} ;;
      file:*)
        file=\${password#file:}
        if [[ -r $file ]] && { IFS= read -r hash < "$file" || [[ -n $hash ]]; }; then :
        else
          hash='!' unread+=("$file")
        fi
        ;;
    esac
  fi
  shadow_text+="$name:$hash:\${shadow_rest[$name]:-1::::::}"$'\\n'
  [[ $kind == normal && ! -e $home ]] && homes+=("$home:$id:\${gid_of[$group]}")
done

# Accounts made by hand stay; those that we made and that are not declared any more go.
if [[ $mutable == 1 ]]; then
  if [[ -e /etc/group ]]; then
    while IFS= read -r line; do name=\${line%%:*}; [[ -v has_group[$name] || -v managed_group[$name] ]] || group_text+=$line$'\\n'; done < /etc/group
  fi
  if [[ -e /etc/passwd ]]; then
    while IFS= read -r line; do
      name=\${line%%:*}
      [[ -v has_user[$name] || -v managed_user[$name] ]] && continue
      passwd_text+=$line$'\\n'
      [[ -v hash_of[$name] ]] && shadow_text+="$name:\${hash_of[$name]}:\${shadow_rest[$name]}"$'\\n'
    done < /etc/passwd
  fi
fi

# Written beside and then moved: each file is the old or the new one at any instant.
stage() { # DIRECTORY NAME TEXT
  local old=
  [[ -e $1/$2 ]] && { IFS= read -r -d '' old < "$1/$2" || :; }
  [[ $old == "$3" && -e $1/$2 ]] && return
  [[ -d $1/.floe-new ]] || mkdir -p "$1/.floe-new"
  printf '%s' "$3" > "$1/.floe-new/$2"
  staged+=("$1/.floe-new/$2")
}
move() { # DIRECTORY
  [[ \${#staged[@]} == 0 ]] || mv -f -t "$1" "\${staged[@]}"
  staged=()
}
map_text() {
  local -n ids=$1 kept=$2
  local name
  text=
  for name in "\${!kept[@]}"; do text+=$name$'\\t'\${ids[$name]}$'\\n'; done
}
staged=()
map_text uid_of managed_user; stage "$maps" uid-map "$text"
map_text gid_of managed_group; stage "$maps" gid-map "$text"
move "$maps"
stage /etc group "$group_text"
stage /etc passwd "$passwd_text"
umask 0077
stage /etc shadow "$shadow_text"
move /etc
for one in "\${homes[@]}"; do
  IFS=: read -r home id group_id <<< "$one"
  # Folders above a home belong to all.
  [[ -d \${home%/*}/ ]] || ( umask 0022; mkdir -p "\${home%/*}" )
  mkdir -p "$home"
  chown "$id:$group_id" "$home"
done
# All accounts are there, those concerned without a password: a machine that boots has its users in any case.
if [[ \${#unread[@]} != 0 ]]; then
  echo "found no password in \${unread[*]}" >&2
  exit 1
fi
stage "$maps" users-applied "$users_spec"
move "$maps"
`;

/**
 * The activation snippet that makes /etc follow the generation.
 *
 * `/etc/static` names the generation's tree and changes by one rename; entries are links through it, so
 * their content changes with it at once. `/var/lib/floe/etc-entries` lists every entry that we ever made and
 * not yet removed: it is written before entries are made and after they are removed, so an interruption loses
 * none. A file that was there before us is kept beside, under a name ending in `.before-floe`.
 *
 * Few processes: each costs an emulated machine more than all the loops here together.
 */
export const ETC_SNIPPET = `
state=/var/lib/floe/etc-entries
shopt -s nullglob

declare -A wanted=() known=()
while IFS=$'\\t' read -r path mode user group; do wanted[$path]=$mode:$user:$group; done < "$system/etc-entries"
if [[ -e $state ]]; then while read -r path; do known[$path]=1; done < "$state"; fi

# Remember entries: the names of all arrays that are given.
remember() {
  local path
  for path; do printf '%s\\n' "$path"; done > "$state.new"
  mv -f "$state.new" "$state"
}
news=0
for path in "\${!wanted[@]}"; do [[ -v known[$path] ]] || news=1; done
[[ $news == 0 ]] || remember "\${!known[@]}" "\${!wanted[@]}"

if [[ ! -e /etc/static && ! -L /etc/static ]]; then
  ln -s "$system/etc" /etc/static
elif [[ ! /etc/static -ef $system/etc ]]; then
  ln -sfn "$system/etc" /etc/.static.new
  mv -fT /etc/.static.new /etc/static
fi

# Dropped entries go first: a folder may take the place of a link, and the reverse.
drops=0
for path in "\${!known[@]}"; do
  [[ -v wanted[$path] ]] && continue
  drops=1
  if [[ -L /etc/$path || -f /etc/$path ]]; then rm -f "/etc/$path"; fi
  folder=\${path%/*}
  while [[ $folder != "$path" && -d /etc/$folder ]] && rmdir "/etc/$folder" 2> /dev/null; do
    path=$folder
    folder=\${path%/*}
  done
done

# Set aside what somebody else put where an entry belongs.
make_room() { # PATH
  local path=$1
  if [[ -d /etc/$path && ! -L /etc/$path ]] || [[ ! -v known[$path] && ( -e /etc/$path || -L /etc/$path ) ]]; then
    mv -T "/etc/$path" "/etc/$path.before-floe"
  fi
}

missing=0
for path in "\${!wanted[@]}"; do
  IFS=: read -r mode user group <<< "\${wanted[$path]}"
  if [[ -z $mode ]]; then
    # Same file through the same link: nothing to do, and no process to start.
    [[ -L /etc/$path && /etc/$path -ef /etc/static/$path ]] && continue
    make_room "$path"
    if [[ ! -e /etc/$path && ! -L /etc/$path ]]; then
      missing=1
    else
      ln -sfn "/etc/static/$path" "/etc/.floe-entry.new"
      mv -fT /etc/.floe-entry.new "/etc/$path"
    fi
  else
    make_room "$path"
    [[ $path != */* || -d /etc/\${path%/*} ]] || mkdir -p "/etc/\${path%/*}"
    cp "$system/etc/$path" "/etc/.floe-entry.new"
    chown "$user:$group" /etc/.floe-entry.new
    chmod "$mode" /etc/.floe-entry.new
    mv -fT /etc/.floe-entry.new "/etc/$path"
  fi
done
# All that are not there yet, with their folders; nothing that exists is touched.
[[ $missing == 0 ]] || cp -RP --no-clobber --no-preserve=all "$system/etc-links/." /etc

[[ $drops == 0 ]] || remember "\${!wanted[@]}"
`;

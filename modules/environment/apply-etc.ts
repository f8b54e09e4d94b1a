/**
 * The activation snippet that makes /etc follow the generation.
 *
 * `/etc/static` names the generation's tree and changes by one rename; entries are links through it, so
 * their content changes with it at once. `/var/lib/floe/etc-entries` lists every entry that we ever made and
 * not yet removed: it is written before entries are made and after they are removed, so an interruption loses
 * none. It marks those that are copies; of the others only links are ours. What somebody else put in the place of an
 * entry is kept beside, under a name ending in `.before-floe`, and stays when the entry goes.
 *
 * Few processes: each costs an emulated machine more than all the loops here together.
 */
export const ETC_SNIPPET = `
state=/var/lib/floe/etc-entries
shopt -s nullglob

declare -A wanted=() known=() kinds=()
while IFS=$'\\t' read -r path mode user group; do wanted[$path]=$mode:$user:$group; done < "$system/etc-entries"
if [[ -e $state ]]; then while IFS=$'\\t' read -r path kind; do known[$path]=\${kind:-link}; done < "$state"; fi

# Remember the entries in kinds.
remember() {
  local path
  for path in "\${!kinds[@]}"; do
    if [[ \${kinds[$path]} == copy ]]; then printf '%s\\tcopy\\n' "$path"; else printf '%s\\n' "$path"; fi
  done > "$state.new"
  mv -f "$state.new" "$state"
}
# Until all is done, what was a copy or becomes one counts as a copy.
news=0 stale=0
for path in "\${!known[@]}"; do kinds[$path]=\${known[$path]}; done
for path in "\${!wanted[@]}"; do
  kind=copy
  [[ \${wanted[$path]} != :* ]] || kind=link
  if [[ ! -v known[$path] || $kind.\${known[$path]} == copy.link ]]; then
    news=1 kinds[$path]=$kind
  elif [[ $kind.\${known[$path]} == link.copy ]]; then
    stale=1
  fi
done
[[ $news == 0 ]] || remember

if [[ ! -e /etc/static && ! -L /etc/static ]]; then
  ln -s "$system/etc" /etc/static
elif [[ ! /etc/static -ef $system/etc ]]; then
  ln -sfn "$system/etc" /etc/.static.new
  mv -fT /etc/.static.new /etc/static
fi

# Dropped entries go first: a folder may take the place of a link, and the reverse.
for path in "\${!known[@]}"; do
  [[ -v wanted[$path] ]] && continue
  stale=1
  if [[ -L /etc/$path || ( \${known[$path]} == copy && -f /etc/$path ) ]]; then rm -f "/etc/$path"; fi
  folder=\${path%/*}
  while [[ $folder != "$path" && -d /etc/$folder ]] && rmdir "/etc/$folder" 2> /dev/null; do
    path=$folder
    folder=\${path%/*}
  done
done

# Set aside what somebody else put where an entry belongs.
make_room() { # PATH
  local path=$1
  [[ -e /etc/$path || -L /etc/$path ]] || return 0
  if [[ -v known[$path] ]]; then
    [[ ! -L /etc/$path && ( -d /etc/$path || \${known[$path]} != copy ) ]] || return 0
  fi
  mv -T --backup=numbered "/etc/$path" "/etc/$path.before-floe"
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
    # An interrupted run may have left a link there, which must not be written through.
    cp --remove-destination "$system/etc/$path" /etc/.floe-entry.new
    chown "$user:$group" /etc/.floe-entry.new
    chmod "$mode" /etc/.floe-entry.new
    mv -fT /etc/.floe-entry.new "/etc/$path"
  fi
done
# All that are not there yet, with their folders; nothing that exists is touched.
[[ $missing == 0 ]] || cp -RP --no-clobber --no-preserve=all "$system/etc-links/." /etc

if [[ $stale != 0 ]]; then
  kinds=()
  for path in "\${!wanted[@]}"; do
    kinds[$path]=copy
    [[ \${wanted[$path]} != :* ]] || kinds[$path]=link
  done
  remember
fi
`;

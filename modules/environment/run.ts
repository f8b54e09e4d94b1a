import { defineModule } from "#floe/module";

/** Steps of activation that every system has, whatever it runs. */
export default defineModule({ key: "activation" }, ({ pkgs, define }) => {
  const { bash, coreutils } = pkgs;
  define({ system: { build: { shell: bash, path: [coreutils, pkgs["util-linux"], bash] } } });
  define({
    system: {
      activationScripts: {
        folders: {
          text: `
for folder in /bin /usr/bin /etc/.floe-new /var/lib/floe/.floe-new /var/log /var/empty /root /run/floe /tmp /home /nix/var/nix/gcroots; do
  [[ -d $folder ]] || missing+=("$folder")
done
[[ \${#missing[@]} == 0 ]] || mkdir -p "\${missing[@]}"
[[ -e /etc/machine-id ]] || : > /etc/machine-id`,
        },
        // The only two programs with a fixed place: what scripts name in their first line.
        programs: {
          deps: ["folders"],
          text: `
link() {
  if [[ ! -e $2 && ! -L $2 ]]; then
    ln -s "$1" "$2"
  elif [[ ! -L $2 || ! $1 -ef $2 ]]; then
    ln -sfn "$1" "$2.new"
    mv -fT "$2.new" "$2"
  fi
}
link ${bash}/bin/bash /bin/sh
link ${coreutils}/bin/env /usr/bin/env`,
        },
        // Last: what runs afterwards finds the system whole. The second link keeps it from being collected.
        "current-system": {
          deps: ["etc", "programs", "users"],
          text: `
if [[ ! -e /run/current-system ]]; then
  ln -s "$system" /run/current-system
else
  ln -sfn "$system" /run/current-system.new
  mv -fT /run/current-system.new /run/current-system
fi
[[ /nix/var/nix/gcroots/current-system -ef /run/current-system ]] || ln -sfn /run/current-system /nix/var/nix/gcroots/current-system`,
        },
      },
    },
  });
});

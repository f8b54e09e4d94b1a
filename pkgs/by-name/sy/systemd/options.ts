/** Features, all of them named: meson would take what is not from whatever it finds. */
const ON =
  "networkd resolve timesyncd logind timedated hostnamed tmpfiles sysusers utmp randomseed analyze split-bin".split(
    " ",
  );
const ENABLED = ["kmod", "blkid"];
const OFF =
  `adm-group backlight binfmt coredump create-log-dirs default-network dns-over-tls efi environment-d firstboot gshadow hibernate hwdb ima
  install-tests kernel-install ldconfig localed machined mountfsd nscd nsresourced nss-myhostname nss-systemd oomd portabled pstore
  quotacheck rfkill smack standalone-binaries storagetm sysext tests tpm translations userdb vconsole wheel-group xdg-autostart`.split(
    /\s+/,
  );
const DISABLED =
  `acl apparmor audit bootloader bpf-framework bzip2 dbus elfutils fdisk gcrypt glib gnutls homed html importd libarchive libcryptsetup libcurl
  libfido2 libidn libidn2 libiptc lz4 man microhttpd nss-mymachines nss-resolve openssl p11kit pam passwdqc pcre2 polkit
  pwquality qrencode remote repart seccomp selinux sysupdate sysupdated tpm2 ukify vmspawn xenctrl xkbcommon xz zlib zstd`.split(
    /\s+/,
  );

const every = (names: readonly string[], value: string | boolean): Record<string, string | boolean> =>
  Object.fromEntries(names.map((name) => [name, value]));

export const FEATURES: Readonly<Record<string, string | boolean>> = {
  ...every(ON, true),
  ...every(ENABLED, "enabled"),
  ...every(OFF, false),
  ...every(DISABLED, "disabled"),
  mode: "release",
  "default-dnssec": "no",
  "fallback-hostname": "floe",
  // Otherwise asked of the machine that builds.
  "nobody-user": "nobody",
  "nobody-group": "nogroup",
  "vmlinux-h": "disabled",
  "tty-gid": "3",
};

/** Where things lie. Files for /etc and /var end in the package's examples. */
export const PLACES: Readonly<Record<string, string>> = {
  "sysvinit-path": "",
  "sysvrcnd-path": "",
  rpmmacrosdir: "no",
  pamconfdir: "no",
  sshconfdir: "no",
  sshdconfdir: "no",
  shellprofiledir: "no",
  bashcompletiondir: "no",
  zshcompletiondir: "no",
  "certificate-root": "/etc/ssl",
  "loadkeys-path": "/run/current-system/sw/bin/loadkeys",
  "setfont-path": "/run/current-system/sw/bin/setfont",
  "kexec-path": "/run/current-system/sw/bin/kexec",
  "quotacheck-path": "/run/current-system/sw/bin/quotacheck",
  "quotaon-path": "/run/current-system/sw/bin/quotaon",
  dbuspolicydir: "$out/share/dbus-1/system.d",
  dbussessionservicedir: "$out/share/dbus-1/services",
  dbussystemservicedir: "$out/share/dbus-1/system-services",
  pkgconfigdatadir: "$out/share/pkgconfig",
  pkgconfiglibdir: "$out/lib/pkgconfig",
};

/** Generators of the build are scripts that are not executable in the archive. */
export const FIND_INTERPRETERS = `
      grep -rlE '^#! ?/(usr/)?bin/(env|python3|bash)' --include='*.py' --include='*.sh' --include='*.awk' --include='*.py.in' . |
        while read -r script; do
          sed -i -E "1s,^#! ?/usr/bin/env +(-S )?,#!$seed/bin/,; 1s,^#! ?/(usr/)?bin/(python3|bash),#!$seed/bin/\\\\2," "$script"
        done
    `;

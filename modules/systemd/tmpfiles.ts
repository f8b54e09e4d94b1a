import { type Read, type Write, declare, defineModule, option } from "#floe/module";
import { followSettings } from "./follow-settings.ts";

const options = declare("systemd.tmpfiles", {
  rules: option.listOf(option.str(), {
    description: "Lines of tmpfiles.d(5).",
    example: ["d /var/lib/site 0755 nginx nginx - -"],
  }),
});

export interface Tmpfiles extends Read<typeof options> {}
export interface TmpfilesDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface SystemdConfig {
    readonly tmpfiles: Tmpfiles;
  }
  interface SystemdDefs {
    tmpfiles?: TmpfilesDefs | undefined;
  }
}

/** What systemd's own tmpfiles.d brings and a running system relies on; the rest is for programs we do not have. */
const BASE = [
  "d /run/lock 0755 root root - -",
  "d /run/systemd/ask-password 0755 root root - -",
  "d /run/systemd/seats 0755 root root - -",
  "d /run/systemd/sessions 0755 root root - -",
  "d /run/systemd/users 0755 root root - -",
  "d /run/systemd/machines 0755 root root - -",
  "d /run/systemd/shutdown 0755 root root - -",
  "d /run/log 0755 root root - -",
  "f! /run/utmp 0664 root utmp - -",
  "d /var 0755 root root - -",
  "L /var/run - - - - ../run",
  "d /var/log 0755 root root - -",
  "f /var/log/wtmp 0664 root utmp - -",
  "d /var/cache 0755 root root - -",
  "d /var/lib 0755 root root - -",
  "d /var/spool 0755 root root - -",
  "d /var/tmp 1777 root root 30d -",
  "d /tmp 1777 root root 10d -",
  "d /var/empty 0555 root root - -",
  "d /root 0700 root root - -",
];

export default defineModule(options, ({ cfg, pkgs, define }) => {
  define({ systemd: { tmpfiles: { rules: BASE } } });
  const text = cfg.rules.map((rule) => `${rule}\n`).join("");
  define({ environment: { etc: { "tmpfiles.d/floe.conf": { text } } } });
  // New rules count after a switch, too. To start the service again would also empty and remove, as only a boot may.
  const create = `${pkgs.systemd}/bin/systemd-tmpfiles --create --exclude-prefix=/dev`;
  define({
    systemd: {
      services: {
        "systemd-tmpfiles-setup": { ...followSettings(text, "reload"), serviceConfig: { ExecReload: create } },
      },
    },
  });
});

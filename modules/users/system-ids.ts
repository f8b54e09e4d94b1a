import type { UsersDefs } from "./users.ts";

/** Users that systemd, D-Bus and the kernel's file permissions rely on; ids as in other distributions of the family. */
export const SYSTEM_USERS = {
  root: { uid: 0, group: "root", description: "System administrator" },
  messagebus: { uid: 4, description: "D-Bus" },
  "systemd-network": { uid: 152, description: "Network management" },
  "systemd-resolve": { uid: 153, description: "Name resolution" },
  "systemd-timesync": { uid: 154, description: "Time synchronisation" },
  nobody: { uid: 65534, group: "nogroup", description: "Unprivileged account" },
} satisfies UsersDefs["users"];

const IDS = {
  root: 0,
  wheel: 1,
  kmem: 2,
  tty: 3,
  messagebus: 4,
  disk: 6,
  audio: 17,
  floppy: 18,
  uucp: 19,
  lp: 20,
  cdrom: 24,
  tape: 25,
  video: 26,
  dialout: 27,
  utmp: 29,
  adm: 55,
  "systemd-journal": 62,
  users: 100,
  "systemd-network": 152,
  "systemd-resolve": 153,
  "systemd-timesync": 154,
  input: 174,
  kvm: 302,
  render: 303,
  sgx: 304,
  clock: 305,
  nogroup: 65534,
} as const;

/** Groups that udev's rules and tmpfiles name. */
export const SYSTEM_GROUPS: UsersDefs["groups"] = Object.fromEntries(
  Object.entries(IDS).map(([name, gid]) => [name, { gid }]),
);

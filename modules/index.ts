import type { Module } from "#floe/module";
import "./arguments.ts";
import kernel from "./boot/kernel.ts";
import loader from "./boot/loader.ts";
import sysctl from "./boot/sysctl.ts";
import base from "./environment/base.ts";
import etc from "./environment/etc.ts";
import packages from "./environment/packages.ts";
import activation from "./environment/run.ts";
import fileSystems from "./file-systems.ts";
import networkd from "./networking/networkd.ts";
import resolved from "./networking/resolved.ts";
import dbus from "./services/dbus.ts";
import nginx from "./services/nginx/index.ts";
import postgresql from "./services/postgresql/index.ts";
import getty from "./systemd/getty.ts";
import journald from "./systemd/journald.ts";
import logind from "./systemd/logind.ts";
import manager from "./systemd/manager.ts";
import tmpfiles from "./systemd/tmpfiles.ts";
import udev from "./systemd/udev.ts";
import units from "./systemd/units.ts";
import time from "./time.ts";
import users from "./users/users.ts";

/** The modules that every system has: what is not asked for stays off. */
export const modules: readonly Module[] = [
  activation,
  base,
  dbus,
  etc,
  fileSystems,
  getty,
  journald,
  kernel,
  loader,
  logind,
  manager,
  networkd,
  nginx,
  packages,
  postgresql,
  resolved,
  sysctl,
  time,
  tmpfiles,
  udev,
  units,
  users,
];

export { writeText } from "./write-text.ts";

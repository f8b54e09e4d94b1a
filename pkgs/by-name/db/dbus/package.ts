import { definePackage } from "#floe/package";
import { SOURCES } from "../../../sources.ts";

export default definePackage(({ meson, fetchUrl, expat, systemd, libcap }) =>
  meson({
    name: "dbus",
    version: SOURCES.dbus.version,
    summary: "Message bus for programs to talk to each other",
    homepage: "https://www.freedesktop.org/wiki/Software/dbus/",
    license: "GPL-2.0-or-later OR AFL-2.1",
    mainProgram: "dbus-daemon",
    source: fetchUrl(SOURCES.dbus),
    inputs: [expat, systemd, libcap],
    configureFlags: ["--sysconfdir=/etc", "--localstatedir=/var"],
    mesonOptions: {
      apparmor: "disabled",
      selinux: "disabled",
      libaudit: "disabled",
      x11_autolaunch: "disabled",
      modular_tests: "disabled",
      installed_tests: false,
      intrusive_tests: false,
      doxygen_docs: "disabled",
      xml_docs: "disabled",
      ducktype_docs: "disabled",
      qt_help: "disabled",
      relocation: "disabled",
      systemd: "enabled",
      systemd_system_unitdir: "$out/lib/systemd/system",
      systemd_user_unitdir: "$out/lib/systemd/user",
      runtime_dir: "/run",
      system_socket: "/run/dbus/system_bus_socket",
      system_pid_file: "/run/dbus/pid",
      dbus_user: "messagebus",
    },
    check: `
      dbus-daemon --version | grep -F "$version"
      dbus-uuidgen | grep -E '^[0-9a-f]{32}$'
    `,
  }),
);

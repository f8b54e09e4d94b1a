import { type Read, type Write, declare, defineModule, option } from "#floe/module";

const options = declare("services.dbus", {
  enable: option.bool({ default: true, description: "Run the system message bus." }),
  packages: option.listOf(option.package(), { description: "Packages that bring services or policies for the bus." }),
});

export interface Dbus extends Read<typeof options> {}
export interface DbusDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface ServicesConfig {
    readonly dbus: Dbus;
  }
  interface ServicesDefs {
    dbus?: DbusDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define }) => {
  if (!cfg.enable) return;
  define({ services: { dbus: { packages: [pkgs.systemd] } } });
  define({
    systemd: {
      sockets: {
        dbus: {
          description: "D-Bus System Message Bus Socket",
          wantedBy: ["sockets.target"],
          listenStreams: ["/run/dbus/system_bus_socket"],
        },
      },
      services: {
        dbus: {
          description: "D-Bus System Message Bus",
          requires: ["dbus.socket"],
          wantedBy: ["multi-user.target"],
          // Clients do not survive a new bus: it keeps running, and reads its files again.
          onChange: "reload",
          reloadTriggers: cfg.packages,
          unitConfig: { DefaultDependencies: false },
          after: ["sysinit.target"],
          conflicts: ["shutdown.target"],
          before: ["shutdown.target"],
          exec: `${pkgs.dbus}/bin/dbus-daemon --config-file=/etc/dbus-1/system.conf --address=systemd: --nofork --nopidfile --systemd-activation --syslog-only`,
          serviceConfig: {
            Type: "notify",
            NotifyAccess: "main",
            ExecReload: `${pkgs.dbus}/bin/dbus-send --print-reply --system --type=method_call --dest=org.freedesktop.DBus / org.freedesktop.DBus.ReloadConfig`,
            OOMScoreAdjust: -900,
          },
        },
      },
    },
  });
  define({ environment: { etc: { "dbus-1/system.conf": { text: busConfig(cfg.packages) } } } });
});

function busConfig(packages: readonly { toString(): string }[]): string {
  const folders = packages.map(
    (one) =>
      `  <servicedir>${one}/share/dbus-1/system-services</servicedir>\n  <includedir>${one}/share/dbus-1/system.d</includedir>\n`,
  );
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <user>messagebus</user>
  <auth>EXTERNAL</auth>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
    <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus" send_member="UpdateActivationEnvironment"/>
    <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.systemd1.Activator"/>
  </policy>
  <policy user="root">
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.systemd1.Activator"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
  </policy>
${folders.join("")}</busconfig>
`;
}

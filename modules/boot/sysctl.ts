import { type Read, type Write, declare, defineModule, option } from "#floe/module";

const options = declare("boot", {
  sysctl: option.attrsOf(option.oneOf([option.str(), option.int()]), {
    description: "Settings of the kernel at run time, by name.",
    example: { "net.ipv4.ip_forward": 1 },
  }),
});

export interface BootSysctl extends Read<typeof options> {}
export interface BootSysctlDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface BootConfig extends BootSysctl {}
  interface BootDefs extends BootSysctlDefs {}
}

export default defineModule(options, ({ cfg, define }) => {
  const lines = Object.entries(cfg.sysctl).map(([name, value]) => `${name} = ${value}\n`);
  if (lines.length === 0) {
    define({ systemd: { maskedUnits: ["systemd-sysctl.service"] } });
    return;
  }
  define({ environment: { etc: { "sysctl.d/floe.conf": { text: lines.join("") } } } });
  // Part of the unit, so that a switch applies changed settings.
  const settings = lines.map((line) => line.trim().replaceAll(" ", ""));
  define({
    systemd: {
      services: { "systemd-sysctl": { overrides: true, onChange: "restart", unitConfig: { "X-Settings": settings } } },
    },
  });
});

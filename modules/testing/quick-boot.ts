import { type Read, type Write, declare, defaults, defineModule, option } from "#floe/module";

const options = declare("testing.quickBoot", {
  enable: option.bool({
    default: false,
    description:
      "Leave out of the boot what a machine under test does not need, since an emulated processor takes its time: the journal stays in memory, only devices of a few kinds are announced, and no line offers a login.",
  }),
});

export interface QuickBoot extends Read<typeof options> {}
export interface QuickBootDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface TestingConfig {
    readonly quickBoot: QuickBoot;
  }
  interface TestingDefs {
    quickBoot?: QuickBootDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, define }) => {
  if (!cfg.enable) return;
  define({
    services: {
      journald: { storage: defaults("volatile") },
      getty: { serial: defaults([]) },
      logind: { settings: { Login: { NAutoVTs: defaults(0), ReserveVT: defaults(0) } } },
      udev: { coldplug: ["block", "net", "virtio-ports"] },
    },
  });
  // Nothing of a machine that lives for minutes is secret.
  define({ systemd: { maskedUnits: ["systemd-random-seed.service"] } });
});

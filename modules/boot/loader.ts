import { type Read, type Write, declare, defineModule, option } from "#floe/module";

const options = declare("boot.loader", {
  entries: {
    enable: option.bool({
      default: true,
      description:
        "Whether each generation gets an entry in /boot/loader/entries, as systemd-boot and others read them.",
    }),
    copyKernels: option.bool({
      default: false,
      description:
        "Whether kernels are copied to /boot. Needed when /boot is a file system of its own, which cannot see the store.",
    }),
    limit: option.int({ default: 20, min: 1, description: "How many generations have an entry, the newest ones." }),
  },
  timeoutSeconds: option.int({ default: 3, min: 0, description: "How long the menu waits." }),
});

export interface BootLoader extends Read<typeof options> {}
export interface BootLoaderDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface BootConfig {
    readonly loader: BootLoader;
  }
  interface BootDefs {
    loader?: BootLoaderDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, define }) => {
  // Read by the switch on the target, which knows nothing of options.
  const settings = { ...cfg.entries, timeoutSeconds: cfg.timeoutSeconds };
  define({ environment: { etc: { "floe/boot-loader.json": { text: `${JSON.stringify(settings)}\n` } } } });
});

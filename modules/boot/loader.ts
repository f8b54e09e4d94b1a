import { type Read, type Write, declare, defaults, defineModule, option } from "#floe/module";

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
  systemdBoot: {
    enable: option.bool({
      default: false,
      description:
        "Whether systemd-boot is put into /boot, which has to be the EFI system partition, and kept up to date there.",
    }),
    package: option.package({ description: "Default: `pkgs.systemd-boot`." }),
    editor: option.bool({
      default: false,
      description:
        "Whether whoever sits at the machine may change the kernel's command line in the menu, and become root by that.",
    }),
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

/** What UEFI calls processors in names of files. */
const UEFI_NAMES: Readonly<Record<string, string>> = { x86_64: "x64", aarch64: "aa64" };

export default defineModule(options, ({ cfg, config, pkgs, define, check }) => {
  define({ boot: { loader: { systemdBoot: { package: defaults(pkgs["systemd-boot"]) } } } });
  const { enable, package: program, editor } = cfg.systemdBoot;
  const processor = UEFI_NAMES[pkgs.platform.processor] ?? pkgs.platform.processor;
  // UEFI reads the partition that the menu lies on, and no store.
  if (enable) {
    define({ boot: { loader: { entries: { copyKernels: defaults(true) } } } });
    check(
      cfg.entries.enable,
      "Cannot put systemd-boot into /boot with nothing to start: found boot.loader.entries.enable = false, expected true",
    );
    // Each is part of the name of a file on a file system to which upper and lower case are the same.
    const names = Object.keys(config.specialisation);
    for (const name of names) {
      const other = names.find((each) => each < name && each.toLowerCase() === name.toLowerCase());
      check(
        other === undefined,
        `Cannot give boot entries to the specialisations "${other}" and "${name}": found names that differ only in case, which /boot does not tell apart`,
      );
    }
  }
  const file = `${program}/lib/systemd/boot/efi/systemd-boot${processor}.efi`;
  const loader = enable ? { loader: { program: file, processor, editor } } : {};
  // Read by the switch on the target, which knows nothing of options.
  const settings = { ...cfg.entries, timeoutSeconds: cfg.timeoutSeconds, ...loader };
  define({ environment: { etc: { "floe/boot-loader.json": { text: `${JSON.stringify(settings)}\n` } } } });
});

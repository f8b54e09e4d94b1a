import { type Read, type Write, declare, defaults, defineModule, option } from "#floe/module";
import { makeInitrd } from "#floe/system";
import { buildersOf } from "../builders-of.ts";
import { platformDefault } from "../platform-default.ts";

const options = declare("boot", {
  kernel: {
    package: option.package({ description: "The kernel. Default: `pkgs.linux`." }),
    file: option.str({ default: "bzImage", description: "The image within the package; `Image` on aarch64." }),
  },
  kernelParams: option.listOf(option.str(), {
    description: "Words of the kernel command line.",
    example: ["quiet"],
  }),
  consoles: option.listOf(option.str(), {
    default: ["ttyS0,115200"],
    description: "Devices that show the kernel's messages; the last one is /dev/console. `ttyAMA0,115200` on aarch64.",
  }),
  initrd: {
    files: option.attrsOf(option.path(), {
      description:
        "Further files of the initial RAM disk, by their path in it. Modules in `lib/modules` are loaded in the order of their names.",
    }),
  },
  storeImage: option.nullOr(option.str(), {
    description:
      "A read-only image with the store, below a writable layer: `erofs:/dev/vdb`. Default: the store lies on the root file system.",
  }),
});

export interface BootKernel extends Read<typeof options> {}
export interface BootKernelDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface BootConfig extends BootKernel {}
  interface BootDefs extends BootKernelDefs {}
  interface Config {
    readonly boot: BootConfig;
  }
  interface Defs {
    boot?: BootDefs | undefined;
  }
}

export default defineModule(options, ({ cfg, pkgs, define }) => {
  define({ boot: { kernel: { package: defaults(pkgs.linux) } } });
  if (pkgs.platform.processor === "aarch64")
    define({ boot: { kernel: { file: platformDefault("Image") }, consoles: platformDefault(["ttyAMA0,115200"]) } });
  const initrd = makeInitrd({ ...buildersOf(pkgs), busybox: pkgs.busybox, files: cfg.initrd.files });
  define({ system: { build: { initrd, kernelParams: cfg.kernelParams } } });
  define({ boot: { kernelParams: cfg.consoles.map((console) => `console=${console}`) } });
  if (cfg.storeImage !== null) define({ boot: { kernelParams: [`floe.store=${cfg.storeImage}`] } });
  define({ system: { build: { kernel: `${cfg.kernel.package}/${cfg.kernel.file}` } } });
});

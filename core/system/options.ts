import { type Read, type Write, declare, defineModule, option } from "../module/index.ts";

/** What a toplevel is made of. Modules fill these in; nobody else needs to. */
const options = declare("system", {
  name: option.str({
    description: "The name of the system, part of the name of its store path.",
    pattern: /[A-Za-z0-9][A-Za-z0-9._-]*/,
    shape: "letters, digits, dots, dashes and underscores",
  }),
  label: option.str({ description: "What boot menus call the system." }),
  platform: option.str({ default: "x86_64-linux", description: "The platform the system runs on." }),
  activationScripts: option.attrsOf(
    option.submodule({
      text: option.lines({ description: "Bash; runs with errexit in a shell of its own." }),
      deps: option.listOf(option.str(), { description: "Scripts that run before this one." }),
      supportsDryActivation: option.bool({
        default: false,
        description: "Whether it also runs for `dry-activate`, where $FLOE_ACTION is `dry-activate`.",
      }),
    }),
    {
      description:
        "Steps of activation, run at each boot and each switch: they must not mind being run again, or being killed at any instant. The failure of one does not hide the others and ends a switch with exit code 2.",
    },
  ),
  build: {
    kernel: option.path({ description: "The kernel image itself." }),
    initrd: option.path({ description: "The initial RAM disk itself." }),
    kernelParams: option.listOf(option.str(), { description: "Words of the kernel command line." }),
    etc: option.path({ description: "The tree that /etc/static points to." }),
    etcLinks: option.path({
      description: "A tree of the links that /etc itself has, each to its place below /etc/static.",
    }),
    etcEntries: option.listOf(option.str(), {
      internal: true,
      description: "One line per entry of /etc: its path, and for a copied file its mode, user and group.",
    }),
    sw: option.path({ description: "The merged programs of the system." }),
    init: option.path({ description: "The program that becomes PID 1, in the end." }),
    manager: option.path({ description: "The package of systemd." }),
    shell: option.path({ description: "The bash that runs activation, and /bin/sh." }),
    path: option.listOf(option.path(), { description: "Packages whose programs activation uses." }),
  },
});

export interface SystemOptions extends Read<typeof options> {}
export interface SystemOptionsDefs extends Write<typeof options> {}

declare module "../module/index.ts" {
  interface Config {
    readonly system: SystemOptions;
  }
  interface Defs {
    system?: SystemOptionsDefs | undefined;
  }
}

/** Declares the `system` options, which every system has. */
export const systemModule = defineModule(options);

import { type Read, type Write, declare, defineModule, option } from "#floe/module";

const options = declare("", {
  fileSystems: option.attrsOf(
    option.submodule({
      device: option.required(
        option.str({ description: "A device, `UUID=…`, `LABEL=…`, or the name of a virtual file system." }),
      ),
      fsType: option.str({ default: "ext4" }),
      options: option.listOf(option.str(), { description: "Mount options." }),
      check: option.bool({ default: false, description: "Whether fsck looks at it before it is mounted." }),
    }),
    { description: "What is mounted where, by mount point. `/` is mounted by the initial RAM disk." },
  ),
  swapDevices: option.listOf(option.str(), { description: "Devices and files to swap to." }),
});

export interface FileSystems extends Read<typeof options> {}
export interface FileSystemsDefs extends Write<typeof options> {}

declare module "#floe/module" {
  interface Config extends FileSystems {}
  interface Defs extends FileSystemsDefs {}
}

export default defineModule(options, ({ config, define, check }) => {
  const root = config.fileSystems["/"];
  if (root !== undefined) {
    const flags = root.options.length === 0 ? [] : [`rootflags=${root.options.join(",")}`];
    define({ boot: { kernelParams: [`root=${root.device}`, `rootfstype=${root.fsType}`, ...flags] } });
  }
  const lines = Object.entries(config.fileSystems).map(
    ([point, { device, fsType, options: flags, check: checked }]) => {
      check(point.startsWith("/"), `Cannot mount "${device}" at "${point}": expected an absolute path`);
      if (point === "/") return "";
      const words = [device, point, fsType, flags.join(",") || "defaults", "0", checked ? "2" : "0"];
      return `${words.map(escapeField).join(" ")}\n`;
    },
  );
  const swaps = config.swapDevices.map((device) => `${escapeField(device)} none swap defaults 0 0\n`);
  const text = [...lines, ...swaps].join("");
  define({ environment: { etc: { fstab: { text } } } });
  if (text === "") {
    define({ environment: { etc: { "systemd/system-generators/systemd-fstab-generator": { source: "/dev/null" } } } });
  }
});

/** fstab separates by blanks and writes them as octal numbers. */
function escapeField(field: string): string {
  return field.replaceAll("\\", "\\134").replaceAll(" ", "\\040").replaceAll("\t", "\\011");
}

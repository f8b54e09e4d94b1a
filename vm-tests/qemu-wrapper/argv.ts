/** Processors that machines can have. */
export type Architecture = "x86_64" | "aarch64";

/** How instructions of the guest are run. */
export type Accelerator = "tcg" | "kvm";

/** One block device, first to last as /dev/vda, /dev/vdb, … in the guest. */
export interface Disk {
  readonly file: string;
  readonly format: "raw" | "qcow2";
  readonly readOnly?: boolean;
  /** File that receives every write and flush in their order, in the format of dm-log-writes; raw disks only. */
  readonly log?: string;
}

/** A byte stream between host and guest, named /dev/virtio-ports/NAME there. */
export interface Port {
  readonly name: string;
  /** Unix socket on which the host listens before the machine starts. */
  readonly socket: string;
}

/** Everything that decides which machine QEMU makes. Paths are on the host. */
export interface MachineShape {
  readonly name: string;
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Direct kernel boot. */
  readonly kernel?: { readonly image: string; readonly initrd?: string; readonly commandLine: string };
  /** Firmware in place of the usual one. */
  readonly firmware?: string;
  readonly disks?: readonly Disk[];
  readonly ports?: readonly Port[];
  /** Unix sockets on which the host listens for the machine's control channel and its serial console. */
  readonly control?: string;
  readonly console?: string;
  /** Do not run the processors until told so by QMP `cont`. */
  readonly paused?: boolean;
  /** Let a guest end QEMU through the debug port 0xf4. */
  readonly debugExit?: boolean;
}

/** Commas separate the parts of a QEMU option, and are doubled inside a value. */
function optionValue(text: string): string {
  return text.replaceAll(",", ",,");
}

function socketDevice(id: string, path: string): string[] {
  return ["-chardev", `socket,id=${id},path=${optionValue(path)},server=off`];
}

function diskArguments(disks: readonly Disk[]): string[] {
  return disks.flatMap((disk, index) => (disk.log === undefined ? driveArguments : loggedArguments)(disk, index));
}

/** A disk whose writes are recorded. The recorder hears of flushes; the files below it need none, as with all disks here. */
function loggedArguments({ file, log = "" }: Disk, index: number): string[] {
  const node = (name: string, path: string): string =>
    `driver=file,node-name=${name}${index},filename=${optionValue(path)},cache.no-flush=on`;
  return [
    "-blockdev",
    node("data", file),
    "-blockdev",
    node("log", log),
    "-blockdev",
    `driver=blklogwrites,node-name=disk${index},file=data${index},log=log${index}`,
    "-device",
    `virtio-blk-pci,drive=disk${index}`,
  ];
}

function driveArguments(disk: Disk, index: number): string[] {
  return [
    "-drive",
    // Data of a test machine does not outlive the host: what the guest flushes goes to the host's page cache and no further.
    `if=none,id=disk${index},file=${optionValue(disk.file)},format=${disk.format},cache=unsafe,discard=unmap` +
      (disk.readOnly === true ? ",read-only=on" : ""),
    "-device",
    `virtio-blk-pci,drive=disk${index}`,
  ];
}

function portArguments(ports: readonly Port[]): string[] {
  if (ports.length === 0) return [];
  return [
    "-device",
    "virtio-serial-pci,id=ports",
    ...ports.flatMap((port, index) => [
      ...socketDevice(`port${index}`, port.socket),
      "-device",
      `virtserialport,bus=ports.0,chardev=port${index},name=${port.name}`,
    ]),
  ];
}

interface ArchitectureShape {
  readonly machine: string;
  /** The emulated processor. */
  readonly cpu: string;
  readonly devices: readonly string[];
}

const SHAPES: Readonly<Record<Architecture, ArchitectureShape>> = {
  x86_64: {
    // With HPET and its steady count: against the interval timer alone, a kernel on a busy host fails to measure the speed of
    // its time stamp counter, or measures it wrongly by a factor, and has no fine clock from then on.
    machine: "q35",
    cpu: "max",
    devices: ["virtio-rng-pci", "vmgenid,guid=auto"],
  },
  aarch64: {
    machine: "virt,gic-version=3",
    // Signed pointers in the architecture's own cipher take most of a boot when they are emulated; vectors of any length take more.
    cpu: "max,pauth-impdef=on,sve=off",
    devices: ["virtio-rng-pci"],
  },
};

/**
 * The arguments of `qemu-system-<architecture>` for a machine.
 *
 * A guest that asks for a reboot ends QEMU, so that each boot is a process of its own with its own streams.
 */
export function makeArguments(shape: MachineShape): string[] {
  const { kernel } = shape;
  const { machine, cpu, devices } = SHAPES[shape.architecture];
  return [
    "-name",
    shape.name,
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-machine",
    machine,
    "-accel",
    shape.accelerator === "kvm" ? "kvm" : "tcg,thread=multi,tb-size=256",
    "-cpu",
    shape.accelerator === "kvm" ? "host" : cpu,
    "-smp",
    `${shape.cpus}`,
    "-m",
    `${shape.memoryMiB}`,
    ...devices.flatMap((device) => ["-device", device]),
    ...(shape.firmware === undefined ? [] : ["-bios", shape.firmware]),
    ...(kernel === undefined ? [] : ["-kernel", kernel.image, "-append", kernel.commandLine]),
    ...(kernel?.initrd === undefined ? [] : ["-initrd", kernel.initrd]),
    ...(shape.control === undefined
      ? []
      : [...socketDevice("control", shape.control), "-mon", "chardev=control,mode=control"]),
    ...(shape.console === undefined ? [] : [...socketDevice("console", shape.console), "-serial", "chardev:console"]),
    ...portArguments(shape.ports ?? []),
    ...diskArguments(shape.disks ?? []),
    ...(shape.debugExit === true ? ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"] : []),
    ...(shape.paused === true ? ["-S"] : []),
  ];
}

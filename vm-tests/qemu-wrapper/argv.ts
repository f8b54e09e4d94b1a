import { type Disk, diskArguments } from "./disks.ts";
import { type Nic, nicArguments } from "./nics.ts";
import { optionValue } from "./option-value.ts";
import { type Accelerator, type Architecture, platformOf } from "./platforms.ts";

/** A byte stream between host and guest, named /dev/virtio-ports/NAME there. */
export interface Port {
  readonly name: string;
  /** Unix socket on which the host listens before the machine starts. */
  readonly socket: string;
}

/** A folder of the host that the guest can mount by its tag, over 9p. A machine with one cannot be frozen. */
export interface SharedFolder {
  readonly tag: string;
  readonly path: string;
  readonly readOnly?: boolean;
}

/** The file behind the guest's memory, in place of memory of QEMU's own. */
export interface MemoryFile {
  readonly file: string;
  /** What the guest writes goes into the file (`true`), or to a private copy of the page (`false`). */
  readonly shared: boolean;
}

/** Everything that decides which machine QEMU makes. Paths are on the host. */
export interface MachineShape {
  readonly name: string;
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly memoryFile?: MemoryFile;
  readonly cpus: number;
  /** Model and features of the processor, in place of the platform's own. */
  readonly cpu?: string;
  /** Room for translated code, in MiB. Default: 256, enough for a boot. */
  readonly translationMiB?: number;
  /** Direct kernel boot. One whose state is {@link incoming} has its kernel in its memory, and QEMU reads none. */
  readonly kernel?: { readonly image: string; readonly initrd?: string; readonly commandLine?: string };
  /** Firmware in place of the usual one. */
  readonly firmware?: string;
  readonly disks?: readonly Disk[];
  readonly nics?: readonly Nic[];
  /** Places for cards that are put in while the machine runs. Default: 0. */
  readonly freeSlots?: number;
  readonly folders?: readonly SharedFolder[];
  readonly ports?: readonly Port[];
  /** Give it a screen and a keyboard. */
  readonly screen?: boolean;
  /** Unix sockets on which the host listens for the machine's control channel and its serial console. */
  readonly control?: string;
  readonly console?: string;
  /** Do not run the processors until told so by QMP `cont`. */
  readonly paused?: boolean;
  /** Wait for a state that was saved, and be paused. */
  readonly incoming?: boolean;
  /** Leave out the device that tells a guest that it was copied. */
  readonly withoutGenerationId?: boolean;
  /** Let a guest end QEMU through the debug port 0xf4. */
  readonly debugExit?: boolean;
}

/** A PC has a keyboard, and a screen that shows text by itself; the machine of aarch64 has neither. */
const SCREEN: Readonly<Record<Architecture, readonly string[]>> = {
  x86_64: ["-device", "VGA"],
  aarch64: ["-device", "virtio-gpu-pci", "-device", "virtio-keyboard-pci"],
};

/** Start of the names of {@link MachineShape.freeSlots}. */
export const SLOT = "slot";

function socketDevice(id: string, path: string): string[] {
  return ["-chardev", `socket,id=${id},path=${optionValue(path)},server=off`];
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

/** The memory has the name it would have without a file, so that a state with it fits machines of both kinds. */
function memoryArguments({ memoryMiB, memoryFile }: MachineShape, name: string): string[] {
  if (memoryFile === undefined) return [];
  const share = memoryFile.shared ? "on" : "off";
  const file = optionValue(memoryFile.file);
  return [
    "-object",
    `memory-backend-file,id=${name},size=${memoryMiB}M,mem-path=${file},share=${share},x-use-canonical-path-for-ramblock-id=off`,
  ];
}

function kernelArguments({ kernel, incoming = false }: MachineShape): string[] {
  if (kernel === undefined || incoming) return [];
  return [
    "-kernel",
    kernel.image,
    ...(kernel.commandLine === undefined ? [] : ["-append", kernel.commandLine]),
    ...(kernel.initrd === undefined ? [] : ["-initrd", kernel.initrd]),
  ];
}

function slotArguments(count: number): string[] {
  return Array.from({ length: count }, (_, index) => [
    "-device",
    `pcie-root-port,id=${SLOT}${index},chassis=${index + 1}`,
  ]).flat();
}

function folderArguments(folders: readonly SharedFolder[]): string[] {
  return folders.flatMap(({ tag, path, readOnly }, index) => [
    "-fsdev",
    `local,id=folder${index},path=${optionValue(path)},security_model=none${readOnly === true ? ",readonly=on" : ""}`,
    "-device",
    `virtio-9p-pci,fsdev=folder${index},mount_tag=${tag}`,
  ]);
}

/**
 * The arguments of `qemu-system-<architecture>` for a machine.
 *
 * A guest that asks for a reboot ends QEMU, so that each boot is a process of its own with its own streams.
 */
export function makeArguments(shape: MachineShape): string[] {
  const { accelerator, translationMiB = 256 } = shape;
  const platform = platformOf(shape.architecture, accelerator);
  return [
    "-name",
    shape.name,
    "-nodefaults",
    "-no-user-config",
    "-no-reboot",
    "-display",
    "none",
    "-machine",
    platform.machine + (shape.memoryFile === undefined ? "" : `,memory-backend=${platform.memoryName}`),
    "-accel",
    accelerator === "tcg" ? `tcg,tb-size=${translationMiB}` : accelerator,
    "-cpu",
    shape.cpu ?? platform.cpu,
    "-smp",
    `${shape.cpus}`,
    "-m",
    `${shape.memoryMiB}`,
    ...memoryArguments(shape, platform.memoryName),
    "-device",
    "virtio-rng-pci",
    ...(platform.generationId && shape.withoutGenerationId !== true ? ["-device", "vmgenid,guid=auto"] : []),
    ...(shape.firmware === undefined ? [] : ["-bios", shape.firmware]),
    ...kernelArguments(shape),
    ...(shape.control === undefined
      ? []
      : [...socketDevice("control", shape.control), "-mon", "chardev=control,mode=control"]),
    ...(shape.console === undefined ? [] : [...socketDevice("console", shape.console), "-serial", "chardev:console"]),
    ...portArguments(shape.ports ?? []),
    ...diskArguments(shape.disks ?? []),
    ...nicArguments(shape.nics ?? []),
    ...slotArguments(shape.freeSlots ?? 0),
    ...folderArguments(shape.folders ?? []),
    ...(shape.screen === true ? SCREEN[shape.architecture] : []),
    ...(shape.debugExit === true ? ["-device", "isa-debug-exit,iobase=0xf4,iosize=1"] : []),
    ...(shape.incoming === true ? ["-incoming", "defer"] : []),
    ...(shape.paused === true ? ["-S"] : []),
  ];
}

import { optionValue } from "./option-value.ts";

/** One block device, first to last as /dev/vda, /dev/vdb, … in the guest. */
export interface Disk {
  readonly file: string;
  readonly format: "raw" | "qcow2";
  readonly readOnly?: boolean;
  /** Where it comes among the disks that firmware tries to start from, 1 first. Not for disks that are removable or have a log. */
  readonly bootIndex?: number;
  /** It can be taken out while the machine runs, and made to fail; raw disks only. Its names within QEMU begin with `diskN`. */
  readonly removable?: boolean;
  /** File that receives every write and flush in their order, in the format of dm-log-writes; raw disks only. */
  readonly log?: string;
}

/** Arguments for disks. The device with index N is `diskN`. */
export function diskArguments(disks: readonly Disk[]): string[] {
  return disks.flatMap((disk, index) => {
    if (disk.removable === true) return removableArguments(disk, index);
    return (disk.log === undefined ? driveArguments : loggedArguments)(disk, index);
  });
}

/** Chassis numbers of slots have to differ; those of disks begin here. */
const FIRST_CHASSIS = 100;

/** A disk in a slot of its own, whose nodes have names: what lies between it and its file can be changed while it is used. */
function removableArguments({ file }: Disk, index: number): string[] {
  const id = `disk${index}`;
  return [
    "-blockdev",
    `driver=file,node-name=${id}-file,filename=${optionValue(file)},cache.no-flush=on,discard=unmap`,
    "-blockdev",
    `driver=raw,node-name=${id}-node,file=${id}-file,cache.no-flush=on,discard=unmap`,
    "-device",
    `pcie-root-port,id=${id}-slot,chassis=${FIRST_CHASSIS + index}`,
    "-device",
    `virtio-blk-pci,drive=${id}-node,id=${id}-device,bus=${id}-slot`,
  ];
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
    `virtio-blk-pci,drive=disk${index}${disk.bootIndex === undefined ? "" : `,bootindex=${disk.bootIndex}`}`,
  ];
}

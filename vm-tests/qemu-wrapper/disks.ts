import { optionValue } from "./option-value.ts";

/** One block device, first to last as /dev/vda, /dev/vdb, … in the guest. */
export interface Disk {
  readonly file: string;
  readonly format: "raw" | "qcow2";
  readonly readOnly?: boolean;
  /** File that receives every write and flush in their order, in the format of dm-log-writes; raw disks only. */
  readonly log?: string;
}

/** Arguments for disks. The device with index N is `diskN`. */
export function diskArguments(disks: readonly Disk[]): string[] {
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

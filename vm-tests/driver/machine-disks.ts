import { chmod, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createOverlay, type Disk } from "qemu-wrapper";
import type { MachineManifest } from "../manifest.ts";
import { copyDisk } from "./frozen.ts";

/** Files of a machine's disks in its folder. */
export const ROOT_DISK = "root.qcow2";
const BOOT_DISK = "boot.qcow2";
export const RECORDED_DISK = "recorded.img";
export const RECORD = "recorded.log";
/** What stands for the recorded disk in a template, where nobody has used it yet. */
const UNUSED_DISK = "unused.qcow2";

/** Whether a file in a machine's folder is a disk, or what was recorded of one. */
export function isDiskFile(name: string): boolean {
  return [ROOT_DISK, BOOT_DISK, RECORDED_DISK, RECORD].includes(name) || /^disk-.*\.img$/.test(name);
}

export interface DisksOptions {
  readonly manifest: Pick<MachineManifest, "rootImage" | "storeImage" | "recordedImage" | "bootImage" | "disks">;
  /** Where a store path lies on this host. */
  readonly realPath: (storePath: string) => string;
  /** Folder for what the machine writes. */
  readonly folder: string;
}

/** Disks of a new machine, which begin as the images do. */
export async function newDisks(options: DisksOptions): Promise<readonly Disk[]> {
  const file = join(options.folder, ROOT_DISK);
  createOverlay({ backing: options.realPath(options.manifest.rootImage), file });
  return [
    { file, format: "qcow2" },
    storeDisk(options),
    ...(await recordedDisk(options)),
    ...bootDisk(options),
    ...(await emptyDisks(options)),
  ];
}

/** Disks of a machine that will be frozen into the folder. Whatever happens to other disks happens to a copy's own. */
export async function templateDisks({ manifest, realPath, folder }: DisksOptions): Promise<readonly Disk[]> {
  const file = join(folder, ROOT_DISK);
  createOverlay({ backing: realPath(manifest.rootImage), file });
  const unused = join(folder, UNUSED_DISK);
  if (manifest.recordedImage !== undefined) createOverlay({ backing: realPath(manifest.recordedImage), file: unused });
  return [
    { file, format: "qcow2" },
    storeDisk({ manifest, realPath }),
    ...(manifest.recordedImage === undefined ? [] : [{ file: unused, format: "qcow2" as const }]),
    ...bootDisk({ manifest, realPath, folder }),
    ...(await emptyDisks({ manifest, folder })),
  ];
}

/** Disks of a copy of the machine that was frozen in `template`, whose files stay as they are. */
export async function copiedDisks(options: DisksOptions, template: string): Promise<readonly Disk[]> {
  const file = join(options.folder, ROOT_DISK);
  createOverlay({ backing: join(template, ROOT_DISK), backingFormat: "qcow2", file });
  return [
    { file, format: "qcow2" },
    storeDisk(options),
    ...(await recordedDisk(options)),
    ...bootDisk(options, template),
    ...(await emptyDisks(options)),
  ];
}

/** Disks of a machine that goes on where another one was: its files, copied from a folder that has them for this instant. */
export async function forkedDisks(options: DisksOptions, from: string): Promise<readonly Disk[]> {
  const disks = await keepDisks(options.manifest, from, options.folder);
  return [...disks.slice(0, 1), storeDisk(options), ...disks.slice(1)];
}

/** Copy the files of a machine's disks, which it must not be writing to, from one folder into another. */
export async function keepDisks(
  manifest: DisksOptions["manifest"],
  from: string,
  to: string,
): Promise<readonly Disk[]> {
  const recorded = manifest.recordedImage !== undefined;
  const boots = manifest.bootImage !== undefined;
  const own = [ROOT_DISK, ...(recorded ? [RECORDED_DISK, RECORD] : []), ...(boots ? [BOOT_DISK] : [])];
  for (const name of [...own, ...emptyNames(manifest)]) await copyDisk(join(from, name), join(to, name));
  return [
    { file: join(to, ROOT_DISK), format: "qcow2" },
    ...(recorded ? [{ file: join(to, RECORDED_DISK), format: "raw", log: join(to, RECORD) } as const] : []),
    ...(boots ? [{ file: join(to, BOOT_DISK), ...BOOTS }] : []),
    ...emptyNames(manifest).map((name) => ({ file: join(to, name), format: "raw", removable: true }) as const),
  ];
}

function storeDisk({ manifest, realPath }: Pick<DisksOptions, "manifest" | "realPath">): Disk {
  return { file: realPath(manifest.storeImage), format: "raw", readOnly: true };
}

/** What firmware looks at first. */
const BOOTS = { format: "qcow2", bootIndex: 1 } as const;

/** @param template Folder whose machine has used the disk before. */
function bootDisk({ manifest, realPath, folder }: DisksOptions, template?: string): readonly Disk[] {
  if (manifest.bootImage === undefined) return [];
  const file = join(folder, BOOT_DISK);
  if (template === undefined) createOverlay({ backing: realPath(manifest.bootImage), file });
  else createOverlay({ backing: join(template, BOOT_DISK), backingFormat: "qcow2", file });
  return [{ file, ...BOOTS }];
}

/** A copy: the recorder works below no other format. */
async function recordedDisk({ manifest, realPath, folder }: DisksOptions): Promise<readonly Disk[]> {
  if (manifest.recordedImage === undefined) return [];
  const file = join(folder, RECORDED_DISK);
  const log = join(folder, RECORD);
  await copyDisk(realPath(manifest.recordedImage), file);
  await chmod(file, 0o600);
  await writeFile(log, "");
  return [{ file, format: "raw", log }];
}

/** Files of the disks that a story has asked for by name. */
function emptyNames({ disks = {} }: DisksOptions["manifest"]): string[] {
  return Object.keys(disks).map((name) => `disk-${name}.img`);
}

/** Empty disks, which take no room before they are written to. */
async function emptyDisks({ manifest, folder }: Pick<DisksOptions, "manifest" | "folder">): Promise<readonly Disk[]> {
  const disks: Disk[] = [];
  for (const [name, mebibytes] of Object.entries(manifest.disks ?? {})) {
    const file = join(folder, `disk-${name}.img`);
    await writeFile(file, "");
    await truncate(file, mebibytes * 2 ** 20);
    disks.push({ file, format: "raw", removable: true });
  }
  return disks;
}

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CodedError } from "../../base/index.ts";
import type { Generation } from "../../profile/index.ts";
import {
  type BootGeneration,
  type BootProgram,
  type BootSpec,
  planBootEntries,
  tryParseBootSpec,
} from "../../system/switch/index.ts";
import { syncDirectory } from "../profile/index.ts";
import { unlessAbsent } from "./unit-folder.ts";

/** What a system wants of its boot menu: /etc/floe/boot-loader.json of its toplevel. */
export interface BootLoaderSettings {
  readonly enable: boolean;
  readonly copyKernels: boolean;
  readonly limit: number;
  readonly timeoutSeconds: number;
  /** The program that shows the menu, for systems that put it into /boot themselves. */
  readonly loader?: BootProgram;
}

/** What is free in a file system. */
export interface FreeSpace {
  readonly freeBytes: number;
  /** Every file takes a multiple of that, on FAT a cluster. */
  readonly blockBytes: number;
}

const LOADER_CONF = "loader/loader.conf";

/** What {@link writeBootMenu} takes. */
export interface BootMenuOptions {
  /** The directory that is /boot. */
  readonly boot: string;
  readonly generations: readonly Generation[];
  readonly defaultGeneration: number;
  /** Where store paths are found: `""`, or a root in tests. */
  readonly root?: string;
  /** What is free in a directory's file system. Default: asks the kernel. */
  readonly space?: (directory: string) => FreeSpace;
  /** Whether UEFI can read a directory's file system. Default: asks the kernel. */
  readonly isReadByUefi?: (directory: string) => boolean;
  /** Receives a line for each generation that has no readable boot description and so gets no entry. */
  readonly say: (line: string) => void;
}

/**
 * Bring the boot menu in line with the generations. Each file changes by a rename after its content is on the
 * disk, and the loader's default is written last, before what the old default alone still needed goes: a power cut
 * leaves the old default or the new one.
 *
 * @throws {CodedError} `boot.not-bootable` when the default generation lacks what a loader needs; `boot.no-space`
 *   and `boot.not-mounted` before anything was written.
 */
export function writeBootMenu(options: BootMenuOptions): void {
  const { boot, generations, defaultGeneration, root = "", say, space = askSpace, isReadByUefi = isFat } = options;
  const target = generations.find(({ number }) => number === defaultGeneration)?.target;
  const settings = target === undefined ? undefined : readBootLoaderSettings(`${root}${target}`);
  if (settings === undefined || !settings.enable) return;
  if (settings.loader !== undefined && !isReadByUefi(boot)) throw notMounted(boot);
  const bootable = generations.flatMap(({ number, date, target }): BootGeneration[] => {
    const spec = tryParseBootSpec(unlessAbsent(() => readFileSync(`${root}${target}/boot.json`, "utf8")) ?? "");
    const lacking = whatIsLacking(spec, settings.copyKernels, root);
    if (spec !== undefined && lacking === undefined)
      return [{ number, date, spec: withWholeVariants(spec, settings.copyKernels, root) }];
    if (number === defaultGeneration) {
      throw new CodedError(
        "boot.not-bootable",
        `Cannot make generation ${number} the default of "${boot}": it has no ${lacking}`,
      );
    }
    say(`generation ${number} has no ${lacking} and gets no boot entry`);
    return [];
  });
  const folder = join(boot, "loader/entries");
  mkdirSync(folder, { recursive: true });
  const plan = planBootEntries({
    ...settings,
    generations: bootable,
    defaultGeneration,
    existing: readdirSync(folder),
  });

  const old = readDefault(boot);
  for (const name of plan.remove) if (name !== old.entry) rmSync(join(folder, name));
  removeUnusedCopies(boot, (path) => plan.copies.has(path) || old.files.has(path));
  const programs = [...plan.programs].filter(([path, from]) => !isSame(`${root}${from}`, join(boot, path)));
  const copies = [...plan.copies].filter(([path, from]) => !isWhole(`${root}${from}`, join(boot, path)));
  const texts = [...plan.entries, [LOADER_CONF, plan.loaderConf] as const].filter(
    ([path, text]) => !hasText(join(boot, path), text),
  );
  const sizes = [
    ...[...copies, ...programs].map(([path, from]) => ({ path, sizeBytes: statSync(`${root}${from}`).size })),
    ...texts.map(([path, text]) => ({ path, sizeBytes: Buffer.byteLength(text) })),
  ];
  checkSpace(boot, sizes, space(boot));
  for (const [path, from] of copies) copyDurably(`${root}${from}`, join(boot, path));
  for (const [path, text] of plan.entries) writeDurably(join(boot, path), text);
  for (const [path, from] of programs) copyDurably(`${root}${from}`, join(boot, path));
  writeDurably(join(boot, LOADER_CONF), plan.loaderConf);
  for (const name of plan.remove) rmSync(join(folder, name), { force: true });
  removeUnusedCopies(boot, (path) => plan.copies.has(path));
}

/** A boot description with those of its variants that a loader can start. */
function withWholeVariants(spec: BootSpec, copyKernels: boolean, root: string): BootSpec {
  if (spec.specialisations === undefined) return spec;
  const whole = Object.entries(spec.specialisations).filter(
    ([, variant]) => whatIsLacking(variant, copyKernels, root) === undefined,
  );
  return { ...spec, specialisations: Object.fromEntries(whole) };
}

/** What keeps a loader from starting a generation. */
function whatIsLacking(spec: BootSpec | undefined, copyKernels: boolean, root: string): string | undefined {
  if (spec === undefined) return "boot description";
  if (!copyKernels) return undefined;
  const gone = [spec.kernel, spec.initrd].find((path) => !existsSync(`${root}${path}`));
  return gone === undefined ? undefined : `file "${gone}"`;
}

/** The entry that boots now, and the files below /boot that it names. */
function readDefault(boot: string): { readonly entry: string | undefined; readonly files: ReadonlySet<string> } {
  const read = (path: string) => unlessAbsent(() => readFileSync(join(boot, path), "utf8")) ?? "";
  const entry = /^default (\S+)$/m.exec(read(LOADER_CONF))?.[1];
  const text = entry === undefined ? "" : read(`loader/entries/${entry}`);
  const files = [...text.matchAll(/^(?:linux|initrd) \/(\S+)$/gm)].map(([, path]) => path as string);
  return { entry, files: new Set(files) };
}

/** The settings that a toplevel carries. */
export function readBootLoaderSettings(toplevel: string): BootLoaderSettings | undefined {
  const text = unlessAbsent(() => readFileSync(`${toplevel}/etc/floe/boot-loader.json`, "utf8"));
  return text === undefined ? undefined : (JSON.parse(text) as BootLoaderSettings);
}

function removeUnusedCopies(boot: string, isUsed: (path: string) => boolean): void {
  const folder = join(boot, "EFI/floe");
  for (const name of unlessAbsent(() => readdirSync(folder)) ?? []) {
    if (!isUsed(`EFI/floe/${name}`)) rmSync(join(folder, name));
  }
}

function askSpace(directory: string): FreeSpace {
  const { bavail, bsize } = statfsSync(directory);
  return { freeBytes: bavail * bsize, blockBytes: bsize };
}

interface NewFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** Everything is counted as if it came beside what is there; a folder that gets a name, or is made, may take one block more. */
function checkSpace(boot: string, files: readonly NewFile[], { freeBytes, blockBytes }: FreeSpace): void {
  const foldersOf = (path: string): string[] => (path === "." ? [] : [path, ...foldersOf(dirname(path))]);
  const folders = new Set(files.flatMap(({ path }) => foldersOf(dirname(path))));
  const blocks = files.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / blockBytes), folders.size);
  const neededBytes = blocks * blockBytes;
  if (neededBytes <= freeBytes) return;
  throw new CodedError(
    "boot.no-space",
    `Cannot write boot entries to "${boot}": found ${freeBytes} bytes free, expected ${neededBytes} for kernels and entries`,
    { hint: "Delete old generations, or lower `boot.loader.entries.limit`." },
  );
}

/** How the kernel numbers FAT. Source: statfs(2), MSDOS_SUPER_MAGIC. */
const FAT = 0x4d44;

function isFat(directory: string): boolean {
  return unlessAbsent(() => statfsSync(directory))?.type === FAT;
}

function notMounted(boot: string): CodedError {
  return new CodedError(
    "boot.not-mounted",
    `Cannot write the boot menu to "${boot}": found a file system that UEFI does not read, expected FAT`,
    { hint: `Mount the EFI system partition there: fileSystems["/boot"] = { device, fsType: "vfat" }.` },
  );
}

/** A power cut between a rename on FAT and what follows it may leave a name without contents. */
function isWhole(from: string, copy: string): boolean {
  return statSync(copy, { throwIfNoEntry: false })?.size === statSync(from).size;
}

function isSame(one: string, other: string): boolean {
  return unlessAbsent(() => readFileSync(other))?.equals(readFileSync(one)) === true;
}

/** Without the permissions of the original: FAT, which has none, refuses to be given any. */
function copyDurably(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  replace(to, readFileSync(from));
}

function writeDurably(path: string, text: string): void {
  // An unchanged file is left alone: flash wears out.
  if (!hasText(path, text)) replace(path, Buffer.from(text));
}

function hasText(path: string, text: string): boolean {
  return unlessAbsent(() => readFileSync(path, "utf8")) === text;
}

/**
 * Give a path a new content by a rename, once that is on the disk. FAT keeps where a file lies in its entry, and writes that with the file and not
 * with the folder: hence the file is synced again under its new name.
 */
function replace(path: string, content: Buffer): void {
  const file = openSync(`${path}.new`, "w", 0o644);
  try {
    writeFileSync(file, content);
    fsyncSync(file);
    renameSync(`${path}.new`, path);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  syncDirectory(dirname(path));
}

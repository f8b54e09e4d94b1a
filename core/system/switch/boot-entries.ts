import type { BootSpec } from "./boot-spec.ts";

/** A generation that may get an entry in the boot menu. */
export interface BootGeneration {
  readonly number: number;
  /** When it was made; `undefined` when the file system does not say. */
  readonly date: Date | undefined;
  readonly spec: BootSpec;
}

/** The program that shows the menu, where UEFI starts it. */
export interface BootProgram {
  /** Path of the program. */
  readonly program: string;
  /** What UEFI calls the processor in names of files, such as `x64`. */
  readonly processor: string;
  /** Whether whoever sits at the machine may change the kernel's command line, and with it what runs as root. */
  readonly editor: boolean;
}

/** What {@link planBootEntries} takes. */
export interface BootEntriesOptions {
  readonly generations: readonly BootGeneration[];
  /** The number of the generation that boots when nobody chooses. */
  readonly defaultGeneration: number;
  /** Names of the files now in /boot/loader/entries. */
  readonly existing: readonly string[];
  readonly timeoutSeconds: number;
  /** How many generations get an entry: the newest, and always the default one. */
  readonly limit: number;
  /** Whether kernels are copied to /boot/EFI/floe, which the loader can read when it cannot read the store. */
  readonly copyKernels: boolean;
  /** Default: somebody else puts it there. */
  readonly loader?: BootProgram | undefined;
}

/** What to do in /boot, in this order: remove, copy, write, and the loader's own settings last. */
export interface BootEntriesPlan {
  /** Names in /boot/loader/entries. */
  readonly remove: readonly string[];
  /** Files to copy unless they are there, by their path below /boot. */
  readonly copies: ReadonlyMap<string, string>;
  /** Texts by their path below /boot. */
  readonly entries: ReadonlyMap<string, string>;
  /** Files to copy unless the same is there, by their path below /boot. */
  readonly programs: ReadonlyMap<string, string>;
  readonly loaderConf: string;
}

/** Also one that a power cut left half-written. */
const ENTRY = /^floe-generation-\d+(?:-specialisation-[A-Za-z0-9_.-]+)?\.conf(?:\.new)?$/;

/** The file name of the entry of a generation, or of a variant of it. */
export function bootEntryName(number: number, specialisation?: string): string {
  const variant = specialisation === undefined ? "" : `-specialisation-${specialisation}`;
  return `floe-generation-${number}${variant}.conf`;
}

/**
 * Plan the boot menu. Entries of others are left alone.
 *
 * Source: Boot Loader Specification, type 1 entries; loader.conf(5).
 */
export function planBootEntries(options: BootEntriesOptions): BootEntriesPlan {
  const { generations, defaultGeneration, existing, timeoutSeconds, limit, copyKernels, loader } = options;
  const newest = [...generations].sort((a, b) => b.number - a.number);
  const chosen = newest.filter(({ number }, index) => index < limit || number === defaultGeneration);
  const copies = new Map<string, string>();
  const place = (path: string): string => {
    if (!copyKernels) return path;
    const target = `/EFI/floe/${copyName(path)}`;
    copies.set(target.slice(1), path);
    return target;
  };
  const entries = new Map<string, string>();
  const add = (generation: BootGeneration, specialisation?: string) => {
    const { kernel, initrd } = generation.spec;
    const files = { kernel: place(kernel), initrd: place(initrd) };
    const text = formatBootEntry(generation, files, specialisation);
    entries.set(`loader/entries/${bootEntryName(generation.number, specialisation)}`, text);
  };
  for (const generation of chosen) {
    add(generation);
    for (const [name, spec] of Object.entries(generation.spec.specialisations ?? {}))
      add({ ...generation, spec }, name);
  }
  return {
    remove: existing.filter((name) => ENTRY.test(name) && !entries.has(`loader/entries/${name}`)),
    copies,
    entries,
    programs: new Map(loader === undefined ? [] : programPlaces(loader).map((place) => [place, loader.program])),
    loaderConf: `timeout ${timeoutSeconds}\ndefault ${bootEntryName(defaultGeneration)}\n${editorLine(loader)}`,
  };
}

/** Its own place, and the one where UEFI looks on a disk of which it knows nothing. Source: UEFI specification 2.10, 3.5.1.1. */
function programPlaces({ processor }: BootProgram): string[] {
  return [`EFI/systemd/systemd-boot${processor}.efi`, `EFI/BOOT/BOOT${processor.toUpperCase()}.EFI`];
}

function editorLine(loader: BootProgram | undefined): string {
  return loader === undefined ? "" : `editor ${loader.editor ? "yes" : "no"}\n`;
}

/** One file per content: the store path names it, whichever generations use it. */
function copyName(path: string): string {
  const [, , , object = "", ...inside] = path.split("/");
  return `${[object, ...inside].join("-")}.efi`;
}

function formatBootEntry(
  { number, date, spec }: BootGeneration,
  files: { readonly kernel: string; readonly initrd: string },
  specialisation: string | undefined,
): string {
  const variant = specialisation === undefined ? "" : ` (${specialisation})`;
  const made = date === undefined ? "" : `, made ${date.toISOString().slice(0, 10)}`;
  const lines = {
    title: "Floe",
    "sort-key": "floe",
    version: `Generation ${number}${variant}: ${spec.label}${made}`,
    linux: files.kernel,
    initrd: files.initrd,
    options: [`init=${spec.init}`, ...spec.kernelParams].join(" "),
  };
  return Object.entries(lines)
    .map(([key, value]) => `${key} ${value}\n`)
    .join("");
}

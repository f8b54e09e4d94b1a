/** One system a machine can boot. Paths are store paths. */
export interface GenerationManifest {
  readonly toplevel: string;
  readonly kernel: string;
  readonly initrd: string;
  /** Kernel command line of the system, without what the driver adds. */
  readonly kernelParameters: string;
}

/** Processor of a machine. */
export type Architecture = "x86_64" | "aarch64";

/** A network card of a machine. */
export interface NicManifest {
  /** Name of the network it is plugged into; the interface has the same. */
  readonly network: string;
  readonly mac: string;
}

/** What the driver needs to make one machine: the evaluation's answer, once its store paths are built. */
export interface MachineManifest {
  readonly architecture: Architecture;
  readonly memoryMiB: number;
  readonly cpus: number;
  /** Image of the store with the closures of all generations; read-only, second disk. */
  readonly storeImage: string;
  /** Image of the root file system, copied on write; first disk. */
  readonly rootImage: string;
  /** Image of a disk whose writes are recorded; third disk, when the machine has one. */
  readonly recordedImage?: string;
  /** Image of the disk that firmware starts it from, copied on write; after the store and the recorded disk. Default: QEMU has its kernel. */
  readonly bootImage?: string;
  /** Further disks by name, empty, in MiB; they come after the others, in this order. */
  readonly disks?: Readonly<Record<string, number>>;
  /** It has a screen and a keyboard. */
  readonly screen?: boolean;
  /** What reads its pictures: a program that is called as Tesseract's is. Default: the one of the host, where it has one. */
  readonly tesseract?: string;
  /** Image of the firmware that starts the kernel. Default: QEMU does. */
  readonly firmware?: string;
  /** Its cards; a machine of no network has none. */
  readonly nics?: readonly NicManifest[];
  /** By name; `base` is generation 1 and the one that boots first. */
  readonly generations: { readonly base: GenerationManifest; readonly [name: string]: GenerationManifest };
}

/** What runs a test that is a build, as store paths. */
export interface ProgramsManifest {
  readonly node: string;
  /** Folders for the search path. */
  readonly path: readonly string[];
}

/** A machine test as an evaluation hands it to the driver. */
export interface VmTestManifest {
  readonly type: "vmTest";
  readonly name: string;
  readonly description: string;
  /** File whose default export is the story, relative to the flake or absolute. */
  readonly story: string;
  /** `cold`: its machines boot by themselves each time. Otherwise they may start as copies of a boot that took place before. */
  readonly boot?: "cold";
  /** Platforms it can run on. */
  readonly platforms: readonly string[];
  /** Words to choose it by; they change nothing about it. */
  readonly tags: readonly string[];
  readonly machines: Readonly<Record<string, MachineManifest>>;
  readonly programs: ProgramsManifest;
}

/** Whose instructions a guest has. */
export type Architecture = "x86_64" | "aarch64";

/** How instructions of the guest are run: translated (anywhere), or by the processor itself (Linux, macOS). */
export type Accelerator = "tcg" | "kvm" | "hvf";

/** What QEMU is told about the machine as such. */
export interface Platform {
  /** Value of `-machine`. */
  readonly machine: string;
  /** Value of `-cpu`. */
  readonly cpu: string;
  /** Whether there is a device that tells the guest that it was copied. QEMU has it for ACPI of PCs alone. */
  readonly generationId: boolean;
  /** What the memory is called in a state, where nobody calls it otherwise. */
  readonly memoryName: string;
}

/**
 * With HPET and its steady count: against the interval timer alone, a kernel on a busy host fails to measure the speed of
 * its time stamp counter, or measures it wrongly by a factor, and has no fine clock from then on.
 */
const PC = "q35,hpet=on";

/**
 * A translated processor computes pointer authentication by its architected cipher unless told otherwise, which takes three
 * quarters of a boot; vectors of unknown length cost a quarter of the rest.
 */
const TRANSLATED_ARM = "max,pauth-impdef=on,sve=off";

/** The machine QEMU makes of an architecture. */
export function platformOf(architecture: Architecture, accelerator: Accelerator): Platform {
  const translated = accelerator === "tcg";
  if (architecture === "x86_64")
    return { machine: PC, cpu: translated ? "max" : "host", generationId: true, memoryName: "pc.ram" };
  const common = { generationId: false, memoryName: "mach-virt.ram" };
  return translated
    ? { ...common, machine: "virt,gic-version=3", cpu: TRANSLATED_ARM }
    : { ...common, machine: "virt,gic-version=max", cpu: "host" };
}

/** QEMU's program for an architecture. */
export function qemuProgram(architecture: Architecture): string {
  return `qemu-system-${architecture}`;
}

/** The host's own architecture; `undefined` when guests of it are not made here. */
export function hostArchitecture(arch: string = process.arch): Architecture | undefined {
  if (arch === "x64") return "x86_64";
  return arch === "arm64" ? "aarch64" : undefined;
}

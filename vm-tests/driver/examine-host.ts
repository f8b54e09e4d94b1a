import {
  type Architecture,
  chooseAccelerator,
  chooseCloningMethod,
  chooseForking,
  findProgram,
  qemuProgram,
  qemuVersion,
} from "qemu-wrapper";

/** What this host does with machines of one architecture. */
export interface HostExamination {
  readonly architecture: Architecture;
  /** QEMU's program and version; `undefined` without one, and then nothing else is known. */
  readonly qemu?: { readonly program: string; readonly version: string };
  readonly accelerator?: {
    readonly name: string;
    readonly reason: string;
    readonly source: "probe" | "cache" | "rule";
  };
  /** How machines are copied; `none` where each has to boot. */
  readonly copies?: { readonly method: string; readonly reason: string };
  /** Whether copies can be forked from one another. */
  readonly forks?: { readonly usable: boolean; readonly reason: string };
}

/** Find out, or look up, how machines run and are copied here. With `reprobe` whatever is known is found out again. */
export async function examineHost(
  options: { readonly reprobe?: boolean; readonly searchPath?: string | undefined } = {},
): Promise<HostExamination[]> {
  const { reprobe = false, searchPath } = options;
  const found: HostExamination[] = [];
  // One after the other: a probe has a deadline.
  for (const architecture of ["x86_64", "aarch64"] as const) {
    const program = findProgram(qemuProgram(architecture), searchPath);
    if (program === undefined) {
      found.push({ architecture });
      continue;
    }
    const { accelerator, reason, source } = await chooseAccelerator({ architecture, qemu: program, reprobe });
    const cloning = await chooseCloningMethod({ architecture, accelerator, qemu: program, reprobe });
    const forking = await chooseForking({ architecture, accelerator, qemu: program, reprobe });
    found.push({
      architecture,
      qemu: { program, version: await qemuVersion(program) },
      accelerator: { name: accelerator, reason, source },
      copies: { method: cloning.method ?? "none", reason: cloning.reason },
      forks: { usable: forking.library !== undefined, reason: forking.reason },
    });
  }
  return found;
}

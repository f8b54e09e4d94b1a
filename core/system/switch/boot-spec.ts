/** A boot description: what a loader needs to start one system. Source: bootspec (RFC 125), version 1. */
export interface BootSpec {
  /** Path of the kernel image. */
  readonly kernel: string;
  readonly initrd: string;
  /** The program the initial RAM disk hands over to. */
  readonly init: string;
  readonly kernelParams: readonly string[];
  readonly label: string;
  /** The platform, such as `x86_64-linux`. */
  readonly system: string;
  readonly toplevel: string;
}

const KEY = "org.nixos.bootspec.v1";

/** The text of `boot.json`. */
export function formatBootSpec(spec: BootSpec): string {
  const { init, initrd, kernel, kernelParams, label, system, toplevel } = spec;
  const sorted = { init, initrd, kernel, kernelParams, label, system, toplevel };
  return `${JSON.stringify({ "org.nixos.specialisation.v1": {}, [KEY]: sorted }, undefined, 2)}\n`;
}

/** Read a `boot.json`; `undefined` when it does not have the first version's form. */
export function tryParseBootSpec(text: string): BootSpec | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  const spec = (document as Record<string, Partial<BootSpec>> | null)?.[KEY];
  if (spec === undefined || typeof spec !== "object") return undefined;
  const { init, initrd, kernel, kernelParams, label, system, toplevel } = spec;
  const texts = [init, initrd, kernel, label, system, toplevel];
  if (texts.some((value) => typeof value !== "string") || !Array.isArray(kernelParams)) return undefined;
  return { init, initrd, kernel, kernelParams, label, system, toplevel } as BootSpec;
}

import { sortedText } from "../../base/index.ts";

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
  /** Variants of the system by name; absent when it has none. */
  readonly specialisations?: Readonly<Record<string, BootSpec>>;
}

/** Names of variants are part of names of files and of command lines. */
export const VARIANT_NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]*$/;

const KEY = "org.nixos.bootspec.v1";
const VARIANTS = "org.nixos.specialisation.v1";

/** The text of `boot.json`. */
export function formatBootSpec(spec: BootSpec): string {
  return `${JSON.stringify(documentOf(spec), undefined, 2)}\n`;
}

function documentOf({ specialisations = {}, ...spec }: BootSpec): object {
  const { init, initrd, kernel, kernelParams, label, system, toplevel } = spec;
  const sorted = { init, initrd, kernel, kernelParams, label, system, toplevel };
  const variants = sortedText(Object.keys(specialisations)).map((name) => [
    name,
    documentOf(specialisations[name] as BootSpec),
  ]);
  return { [VARIANTS]: Object.fromEntries(variants), [KEY]: sorted };
}

/** Read a `boot.json`; `undefined` when it does not have the first version's form. */
export function tryParseBootSpec(text: string): BootSpec | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  return specOf(document);
}

function specOf(document: unknown): BootSpec | undefined {
  const spec = (document as Record<string, Partial<BootSpec>> | null)?.[KEY];
  if (spec === undefined || typeof spec !== "object") return undefined;
  const { init, initrd, kernel, kernelParams, label, system, toplevel } = spec;
  const texts = [init, initrd, kernel, label, system, toplevel];
  if (texts.some((value) => typeof value !== "string") || !Array.isArray(kernelParams)) return undefined;
  const specialisations = variantsOf((document as Record<string, unknown>)[VARIANTS]);
  return { init, initrd, kernel, kernelParams, label, system, toplevel, ...specialisations } as BootSpec;
}

/** Variants that can be read; a boot menu does without the others. */
function variantsOf(documents: unknown): Pick<BootSpec, "specialisations"> {
  if (typeof documents !== "object" || documents === null) return {};
  const found = Object.entries(documents).flatMap(([name, document]) => {
    const spec = VARIANT_NAME.test(name) ? specOf(document) : undefined;
    return spec === undefined ? [] : [[name, spec] as const];
  });
  return found.length === 0 ? {} : { specialisations: Object.fromEntries(found) };
}

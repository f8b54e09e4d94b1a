/** One numbered state of a profile. */
export interface Generation {
  readonly number: number;
  /** The store path it points to. */
  readonly target: string;
  /** When it was made. */
  readonly date: Date;
  /** Whether the profile points to it. */
  readonly current: boolean;
}

/** The file name of a generation's link: `system-5-link`. */
export function generationLinkName(profile: string, number: number): string {
  return `${profile}-${number}-link`;
}

/** The number in the file name of a generation's link; `undefined` for other files. */
export function parseGenerationLinkName(profile: string, name: string): number | undefined {
  if (!name.startsWith(`${profile}-`) || !name.endsWith("-link")) return undefined;
  const digits = name.slice(profile.length + 1, -"-link".length);
  return /^[0-9]+$/.test(digits) ? Number(digits) : undefined;
}

/** What making a generation comes to. */
export type NewGeneration =
  /** The newest one has the same content. */
  { readonly kind: "reuse"; readonly number: number } | { readonly kind: "create"; readonly number: number };

/**
 * The generation for a store path: the newest one if it is the same, else the next number. Numbers are never
 * used again, also not after a rollback: the next is one above the highest.
 *
 * Source: Nix, `createGeneration`.
 */
export function planGeneration(
  existing: readonly Pick<Generation, "number" | "target">[],
  target: string,
): NewGeneration {
  let newest: Pick<Generation, "number" | "target"> | undefined;
  for (const one of existing) if (newest === undefined || one.number > newest.number) newest = one;
  if (newest?.target === target) return { kind: "reuse", number: newest.number };
  return { kind: "create", number: (newest?.number ?? 0) + 1 };
}

/** The generation to roll back to: the one before the current, by number; `undefined` when there is none. */
export function previousGeneration<One extends Pick<Generation, "number" | "current">>(
  generations: readonly One[],
): One | undefined {
  const current = generations.find((one) => one.current)?.number ?? Number.POSITIVE_INFINITY;
  let previous: One | undefined;
  for (const one of generations) {
    if (one.number < current && (previous === undefined || one.number > previous.number)) previous = one;
  }
  return previous;
}

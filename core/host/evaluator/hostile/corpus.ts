/** For tests: configurations that try what an evaluation must not allow, and what comes of each. */

/** A file of the flake: its text, or what else lies under its name. */
export type HostileFile =
  | string
  | { readonly link: string }
  | { readonly bytes: readonly number[] }
  | { readonly folder: true }
  | { readonly pipe: true };

/**
 * One configuration. The place of its error is that of its mark, in whichever of its files that stands; without one, only that
 * there is a place in the flake.
 */
export interface HostileCase {
  readonly name: string;
  /** What the output `a` is: an expression. */
  readonly code?: string;
  /** What stands above, from line 2 on. */
  readonly head?: string;
  /** Further files; `flake.config.ts` in place of the one that `code` and `head` make, and `input/…` for the input `evil`. */
  readonly files?: Readonly<Record<string, HostileFile>>;
  /** The code of the error. */
  readonly refused?: string;
  /** Part of its message. */
  readonly saying?: string;
  /** The value, where nothing is refused because nothing can be had. */
  readonly value?: unknown;
  /** Only what an evaluation that reaches a limit needs. */
  readonly limits?: { readonly timeoutSeconds?: number; readonly memoryMiB?: number };
}

/** What comes next is where the error has to be. */
export const MARK = "/*@*/";
/** So is what the line begins with. */
export const LINE_MARK = "/*@line*/";
/** At the beginning of `code`: so is the statement around it, which is what V8 names for some errors. */
export const STATEMENT = "/*@return*/";

export function configOf({ code = "1", head = "" }: HostileCase): string {
  const [mark, expression] = code.startsWith(STATEMENT) ? [MARK, code.slice(STATEMENT.length)] : ["", code];
  return `import { defineFlake } from "#floe/flake";
${head}
export default defineFlake({ outputs() { return { get a(): any { ${mark}return ${expression}; } }; } });
`;
}

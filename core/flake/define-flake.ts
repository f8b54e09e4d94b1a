import type { FlakeOutputs } from "./output-types.ts";

/** How a flake says what it takes in. A plain text is short for `{ url }`. */
export interface InputDeclaration {
  /** Where the input comes from; see `parseReference` for the forms. */
  readonly url?: string;
  /** Whether the input has outputs of its own (a `flake.config.ts`). Default: true when that file is there. */
  readonly flake?: boolean;
  /** Take what another input already is: `"b"`, or `"b/c"` for the input `c` of `b`. Empty: leave the input out. */
  readonly follows?: string;
  /** Replacements for inputs of this input. */
  readonly inputs?: Readonly<Record<string, string | InputDeclaration>>;
}

/** What the lock says about where a source came from. */
export interface SourceInfo {
  readonly type: "git" | "path" | "tarball";
  readonly url?: string;
  readonly ref?: string;
  /** Commit, 40 hexadecimal digits; absent for folders, and for archives whose server names none. */
  readonly rev?: string;
  readonly shortRev?: string;
  /** Seconds since 1970 of the commit, or of the newest file. */
  readonly lastModified?: number;
  /** SRI hash of the NAR of the tree. */
  readonly narHash?: string;
}

/**
 * An input as `outputs` sees it: its source, and its own outputs when it is a flake.
 *
 * Used in a string it is its path in the store. Its flake is loaded only when one of its outputs is asked for.
 */
export interface FlakeInput {
  /** Store path of the source (and the folder `dir` in it). */
  readonly outPath: string;
  readonly sourceInfo: SourceInfo;
  // biome-ignore lint/suspicious/noExplicitAny: what another flake gives out is known to that flake only
  readonly [name: string]: any;
  toString(): string;
}

/** What `outputs` is called with. */
export interface OutputsArguments<Names extends string> {
  readonly inputs: { readonly [Name in Names]: FlakeInput };
  /** This flake: its source and its outputs, both made when asked for. */
  readonly self: FlakeInput;
}

/** A source tree with declared inputs and outputs: the value `flake.config.ts` exports as default. */
export interface Flake<Names extends string = string> {
  /** One line for people. */
  readonly description?: string;
  readonly inputs?: Readonly<Record<Names, string | InputDeclaration>>;
  outputs(args: OutputsArguments<Names>): FlakeOutputs;
}

/**
 * Declare a flake; gives back what it got, with the names of the inputs checked inside `outputs`.
 *
 * @example
 * const flake = defineFlake({
 *   inputs: { floe: "github:OWNER/floe" },
 *   outputs: ({ inputs }) => ({ packages: { "x86_64-linux": { default: inputs.floe.packages["x86_64-linux"].hello } } }),
 * });
 */
export function defineFlake<const Names extends string = never>(flake: Flake<Names>): Flake<Names> {
  return flake;
}

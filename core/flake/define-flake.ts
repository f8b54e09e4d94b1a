import type { FlakeSettings } from "./flake-settings.ts";
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
  readonly type: "file" | "git" | "path" | "tarball";
  readonly url?: string;
  readonly ref?: string;
  /** Commit, 40 hexadecimal digits; absent for folders and files, and for archives whose server names none. */
  readonly rev?: string;
  readonly shortRev?: string;
  /** Seconds since 1970 of the commit, or of the newest file; 0 when nobody knows. */
  readonly lastModified?: number;
  /** SRI hash of the NAR of the tree. */
  readonly narHash?: string;
}

/** An input without outputs. Used in a string it is its path in the store. */
export interface SourceInput {
  /** Store path of the source (and the folder `dir` in it). */
  readonly outPath: string;
  readonly sourceInfo: SourceInfo;
  toString(): string;
}

/**
 * An input as `outputs` sees it: its source, and its own outputs when it is a flake, which is loaded only when one of its outputs is
 * asked for. This is the type of inputs that {@link InputTypes} does not have.
 */
export interface FlakeInput extends SourceInput {
  // biome-ignore lint/suspicious/noExplicitAny: what another flake gives out is known to that flake only
  readonly [name: string]: any;
}

/**
 * The inputs of the flake that is being checked, by name. `floe flake types` and `floe flake check` add those that are locked, each
 * as a {@link SourceInput} or an {@link InputOf}.
 */
export interface InputTypes {}

/** An input whose `flake.config.ts` exports `Exported`: its source and its outputs. */
export type InputOf<Exported> =
  Exported extends Flake<never, infer Outputs>
    ? string extends keyof Outputs
      ? FlakeInput
      : SourceInput & Outputs
    : FlakeInput;

/** What `outputs` is called with. */
export interface OutputsArguments<Names extends string> {
  readonly inputs: { readonly [Name in Names]: Name extends keyof InputTypes ? InputTypes[Name] : FlakeInput };
  /** This flake: its source and its outputs, both made when asked for. */
  readonly self: FlakeInput;
}

/** A source tree with declared inputs and outputs: the value `flake.config.ts` exports as default. */
export interface Flake<Names extends string = string, Outputs extends FlakeOutputs = FlakeOutputs> {
  /** One line for people. */
  readonly description?: string;
  readonly inputs?: Readonly<Record<Names, string | InputDeclaration>>;
  /** What commands that use this flake had best do. */
  readonly settings?: FlakeSettings;
  outputs(args: OutputsArguments<Names>): Outputs;
}

/**
 * Declare a flake; gives back what it got, with the names of the inputs checked inside `outputs`. The type says what comes out, for
 * flakes that take this one in.
 *
 * @example
 * const flake = defineFlake({
 *   inputs: { floe: "github:OWNER/floe" },
 *   outputs: ({ inputs }) => ({ packages: { "x86_64-linux": { default: inputs.floe.packages["x86_64-linux"].hello } } }),
 * });
 */
export function defineFlake<const Names extends string = never, Outputs extends FlakeOutputs = FlakeOutputs>(
  flake: Flake<Names, Outputs>,
): Flake<Names, Outputs> {
  return flake;
}

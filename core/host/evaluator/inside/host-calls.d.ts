/**
 * What the process outside gives to the code inside, as the module `floe:host`. Only texts, numbers and byte arrays made
 * inside cross this border, and none of these functions throws an object of the other realm: the realm inside never gets hold of one.
 */
declare module "floe:host" {
  /** Hash bytes, or the UTF-8 of a text without lone surrogates, into `digest`, which has the right size. */
  export function hash(algorithm: string, data: Uint8Array | string, digest: Uint8Array): boolean;
  /** UTF-8 of `text` into `target`, which has three bytes per unit. @returns bytes written. */
  export function encodeInto(text: string, target: Uint8Array): number;
  /** @returns `undefined` when the bytes are not UTF-8 and `fatal` is set. */
  export function decode(bytes: Uint8Array, fatal: boolean, ignoreBom: boolean): string | undefined;
  /** A line for people, on the error stream. */
  export function log(text: string): void;
  /** JSON of a `TreeListing` or a `HostFailure`. */
  export function listTree(path: string, from: string): string;
  /** JSON of a `TreeHash` or a `HostFailure`; `keptJson` is a list of relative paths, or empty for all; `from` asks. */
  export function hashTree(path: string, keptJson: string, from: string): string;
  /** JSON of a `ModuleTreeReport` or a `HostFailure`. */
  export function hashModules(file: string): string;
  /** JSON of the text of a file in an output, of `null` when the output is not there, or of a `HostFailure`. */
  export function readOutput(path: string, object: string): string;
  /** The default export of an input's `flake.config.ts`; `undefined` when it could not be loaded, see `failure`. */
  export function loadFlake(id: string): unknown;
  /** What a file exports that another one, `from`, names; `undefined` when it could not be loaded, see `failure`. */
  export function loadLater(from: string, specifier: string): unknown;
  /** JSON of the `HostFailure` of the last `loadFlake` or `loadLater`; empty when what was loaded itself threw. */
  export function failure(): string;
  /** What was loaded last and threw. */
  export function thrown(): unknown;
}

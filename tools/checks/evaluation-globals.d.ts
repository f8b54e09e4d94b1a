/**
 * All that exists inside an evaluation besides the language itself. tsconfig.pure.json checks the code that runs
 * there against these names alone, so `process`, `Buffer`, `fetch` or a timer is a type error.
 */

declare class TextEncoder {
  encode(text?: string): Uint8Array<ArrayBuffer>;
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  decode(bytes?: Uint8Array, options?: { stream?: boolean }): string;
}

interface ErrorConstructor {
  captureStackTrace(target: object, above?: Function): void;
  stackTraceLimit: number;
  prepareStackTrace?: ((error: Error, frames: readonly CallSite[]) => unknown) | undefined;
}

interface CallSite {
  getFileName(): string | null | undefined;
  getLineNumber(): number | null;
  getColumnNumber(): number | null;
  getFunctionName(): string | null;
  getScriptNameOrSourceURL(): string | null;
}

interface ImportMeta {
  readonly url: string;
}

declare module "node:module" {
  export function createRequire(from: string): (specifier: string) => unknown;
}

declare module "node:crypto" {
  interface RunningHash {
    update(bytes: Uint8Array | string): RunningHash;
    digest(): Uint8Array<ArrayBuffer>;
  }
  export function createHash(algorithm: string): RunningHash;
  export function hash(algorithm: string, data: Uint8Array | string, encoding: "buffer"): Uint8Array<ArrayBuffer>;
}

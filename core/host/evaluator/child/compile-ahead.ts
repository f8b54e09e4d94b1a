import { setFlagsFromString } from "node:v8";

/**
 * Compile what is loaded meanwhile with all its functions, which else are compiled at their first call, and keep all that is compiled:
 * V8 forgets functions that nobody calls for a while, as nobody does who waits.
 */
export function compileAhead(load: () => void): void {
  setFlagsFromString("--no-flush-bytecode");
  setFlagsFromString("--no-lazy");
  try {
    load();
  } finally {
    setFlagsFromString("--lazy");
  }
}

/** The waiting is over. Code that comes compiled, as Node's own modules do, V8 takes only under the flags it was compiled with. */
export function compileAsUsual(): void {
  setFlagsFromString("--flush-bytecode");
}

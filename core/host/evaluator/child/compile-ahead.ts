import { setFlagsFromString } from "node:v8";

/** Compile what is loaded meanwhile with all its functions, which else are compiled at their first call. */
export function compileAhead(load: () => void): void {
  setFlagsFromString("--no-lazy");
  try {
    load();
  } finally {
    setFlagsFromString("--lazy");
  }
}

/**
 * Let V8 keep what it has compiled and learnt: it forgets functions that nobody calls for a while, and once a process has done nothing for
 * eight seconds it collects all memory, and with shapes of objects that are gone the code that was made for them.
 */
export function keepLearnt(): void {
  setFlagsFromString("--no-flush-bytecode");
  setFlagsFromString("--memory-reducer-gc-count=0");
}

/** Undo {@link keepLearnt}. Code that comes compiled, as Node's own modules do, V8 takes only under the flags it was compiled with. */
export function forgetAsUsual(): void {
  setFlagsFromString("--flush-bytecode");
  setFlagsFromString("--memory-reducer-gc-count=2");
}

import { inspect } from "node:util";

/** All that is known of what a test threw, as uvu shows failures: message, stack, causes, and what else it carries. */
export function showThrown(test: string, thrown: unknown): string {
  const text = inspect(thrown, { depth: 8, maxArrayLength: null, maxStringLength: null, breakLength: 120 });
  return `   FAIL  "${test}"\n${text.replace(/^/gm, "    ")}\n\n`;
}

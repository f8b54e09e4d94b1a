import { runProgram } from "./program.ts";
import { routes } from "./routes.ts";
import { VERSION } from "./version.ts";

/** Run `floe` with the words after its name. */
export function runFloe(words: readonly string[]): Promise<void> {
  return runProgram({ name: "floe", version: VERSION, routes, arguments: words });
}

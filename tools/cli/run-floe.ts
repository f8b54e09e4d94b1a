import { runProgram } from "./program.ts";
import { routesFor } from "./routes.ts";
import { VERSION } from "./version.ts";

/** Run `floe` with the words after its name. */
export async function runFloe(words: readonly string[]): Promise<void> {
  return runProgram({ name: "floe", version: VERSION, routes: await routesFor(words), arguments: words });
}

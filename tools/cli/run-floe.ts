import { type EarlyStart, offerEarlyStart } from "../../core/host/evaluator/early-start.ts";
import { runProgram } from "./program.ts";
import { routesFor } from "./routes.ts";
import { VERSION } from "./version.ts";

/**
 * Run `floe` with the words after its name.
 *
 * @param early What was begun for it already. Default nothing.
 */
export async function runFloe(words: readonly string[], early?: EarlyStart): Promise<void> {
  offerEarlyStart(early);
  return runProgram({ name: "floe", version: VERSION, routes: await routesFor(words), arguments: words });
}

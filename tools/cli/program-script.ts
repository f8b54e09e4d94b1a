import { readFileSync } from "node:fs";
import { constants, Script } from "node:vm";
import type { EarlyStart } from "../../core/host/evaluator/early-start.ts";

/** The program as one script, in the folder of bundles. */
export const PROGRAM_NAME = "floe-program.js";

/**
 * What Node gets besides: room for all that a small command allocates, since collecting it took a tenth of the time. The launcher has
 * the same.
 */
export const NODE_FLAGS: readonly string[] = ["--disable-warning=ExperimentalWarning", "--min-semi-space-size=16"];

/** Where the compiled code of a script lies; that of another Node would be refused. */
export function codeFile(program: string): string {
  return program.replace(/\.js$/, `-${process.version}.code`);
}

export interface ProgramScript {
  readonly script: Script;
  /** Run the program with these words. */
  readonly runFloe: (words: readonly string[], early?: EarlyStart) => Promise<void>;
}

/**
 * Load the program.
 *
 * @param file Its script.
 * @param root The folder that its sources seem to lie in.
 */
export function loadProgram(file: string, root: string): ProgramScript {
  let cachedData: Buffer | undefined;
  try {
    cachedData = readFileSync(codeFile(file));
  } catch {
    // All is compiled when it is called, then.
  }
  const script = new Script(readFileSync(file, "latin1"), {
    filename: file,
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  const run = script.runInThisContext() as (require: unknown, root: string, module: object, exports: object) => void;
  // Libraries inside ask for Node's own modules through `require`, and for nothing else.
  run(process.getBuiltinModule, root, module, module.exports);
  const { runFloe } = module.exports as Pick<ProgramScript, "runFloe">;
  return { script, runFloe };
}

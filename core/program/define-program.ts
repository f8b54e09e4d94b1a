import { callerLocation, CodedError, type SourceLocation } from "../base/index.ts";
import type { Build } from "./build.ts";

/** What a program does. Where it waits, the build waits. */
export type ProgramFunction<Inputs extends object> = (build: Build<Inputs>) => void | Promise<void>;

/** A builder that is written in TypeScript. */
export interface Program<Inputs extends object> {
  readonly kind: "program";
  /** Where it is defined; its file is what runs. */
  readonly at: SourceLocation;
  /** Never called while evaluating. */
  readonly run: ProgramFunction<Inputs>;
}

/**
 * Define a builder in TypeScript: the default export of a file of its own. While evaluating the file is loaded like any other, which is how
 * its types and imports are known; the function runs in the sandbox of the build, from a copy of the file and of all that it imports.
 *
 * @throws {CodedError} `program.no-file` where no file calls, as in an expression of the command line.
 *
 * @example
 * // page.build.ts
 * export default defineProgram<{ title: string }>(({ inputs, out, write }) => write(`${out}/index.html`, `<h1>${inputs.title}</h1>`));
 */
export function defineProgram<Inputs extends object = Record<never, never>>(
  run: ProgramFunction<Inputs>,
): Program<Inputs> {
  const at = callerLocation(defineProgram);
  if (at === undefined || !/^\/.*\.m?[jt]s$/.test(at.file))
    throw new CodedError(
      "program.no-file",
      "Cannot define the program: it is written in no file, which could be sent along",
      {
        at,
        hint: "Write it as the default export of a file of its own: export default defineProgram((build) => { … });",
      },
    );
  return { kind: "program", at, run };
}

import { callerLocation, type SourceLocation } from "../base/index.ts";
import { type LocalModules, localModules } from "../derivation/index.ts";
import type { Build } from "./build.ts";

/** What a program does. Where it waits, the build waits. */
export type ProgramFunction<Inputs extends object> = (build: Build<Inputs>) => void | Promise<void>;

/** A builder that is written in TypeScript. */
export interface Program<Inputs extends object> {
  readonly kind: "program";
  /** Where it is defined; its file is what runs. */
  readonly at: SourceLocation | undefined;
  /** Never called while evaluating. */
  readonly run: ProgramFunction<Inputs>;
}

/** The name by which programs import this part. */
const PROVIDED = "#floe/program";

const modules = new WeakMap<object, LocalModules>();

/**
 * Define a builder in TypeScript: the default export of a file of its own. While evaluating the file is loaded like any other, which is how
 * its types and imports are known; the function runs in the sandbox of the build, from a copy of the file and of all that it imports.
 *
 * @throws {CodedError} `source.no-caller` where no file calls, as in an expression of the command line.
 *
 * @example
 * // page.build.ts
 * export default defineProgram<{ title: string }>(({ inputs, out, write }) => write(`${out}/index.html`, `<h1>${inputs.title}</h1>`));
 */
export function defineProgram<Inputs extends object = Record<never, never>>(
  run: ProgramFunction<Inputs>,
): Program<Inputs> {
  const program: Program<Inputs> = { kind: "program", at: callerLocation(defineProgram), run };
  modules.set(program, localModules({ name: "program", provided: [PROVIDED] }));
  return program;
}

/** The files of a program; `undefined` for what {@link defineProgram} did not make. */
export function modulesOf(program: Program<never>): LocalModules | undefined {
  return modules.get(program);
}

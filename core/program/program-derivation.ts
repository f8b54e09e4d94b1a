import { CodedError, compareText, type SourceLocation } from "../base/index.ts";
import { type DerivationOptions, type LocalSource, toStructured } from "../derivation/index.ts";
import { modulesOf, type Program } from "./define-program.ts";

/** A text, or what is a store path in a string: a package, a derivation, a flake input, `local(…)`. */
export type GivenText = string | { readonly outPath: string; toString(): string } | LocalSource;

/** What a flake gives for the inputs that a program declares: the same data, in which packages and sources may stand for texts. */
export type GivenInputs<Input> = Input extends string
  ? string extends Input
    ? GivenText
    : Input
  : Input extends object
    ? { readonly [Name in keyof Input]: GivenInputs<Input[Name]> }
    : Input;

export interface ProgramDerivationOptions {
  readonly name: string;
  /** Data and store paths; see {@link GivenInputs}. */
  readonly inputs: object;
  /** Kind of machine that builds. */
  readonly system: string;
  /** The runtime: Node, of the kind of machine that builds. */
  readonly node: { toString(): string };
  /** The file that gives a program what `Build` promises. */
  readonly runner: { toString(): string };
  /** Default `out` alone. */
  readonly outputs?: readonly string[] | undefined;
  /** Further variables. */
  readonly env?: Readonly<Record<string, unknown>> | undefined;
  /** Where it is asked for, for errors. */
  readonly at: () => SourceLocation | undefined;
}

/**
 * The derivation that runs a program. It depends on the files that the program imports, on the store paths among its inputs, on the runtime, and
 * on nothing else.
 *
 * @throws {CodedError} `program.not-a-program`, `derivation.bad-value`; as `localModules`
 */
export function programDerivation(
  program: Program<never>,
  { name, inputs, system, node, runner, outputs, env = {}, at }: ProgramDerivationOptions,
): DerivationOptions {
  const modules = modulesOf(program);
  if (modules === undefined)
    throw new CodedError("program.not-a-program", `Cannot build "${name}": what should run is no program`, {
      at: at(),
      hint: 'Import it from its file, where it is the default export: import page from "./page.build.ts";',
    });
  return {
    name,
    system,
    builder: `${node}/bin/node`,
    // Without a package around it a file says by its ending that it is a module.
    args: [runner, modules, modules.entry],
    ...(outputs === undefined ? {} : { outputs }),
    env: {
      ...env,
      inputs: JSON.stringify(inOrder(asData(inputs, name, at))),
      passAsFile: ["inputs", ...[env["passAsFile"] ?? []].flat()],
    },
    at,
  };
}

function asData(inputs: object, name: string, at: () => SourceLocation | undefined): unknown {
  try {
    return toStructured(inputs, `the inputs of "${name}"`);
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    throw new CodedError(error.code, error.message, { hint: error.hint, at: at(), cause: error.cause });
  }
}

/** The same data with members by the bytes of their names: in which order they were written is no difference. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).sort(([one], [other]) => compareText(one, other));
  return Object.fromEntries(members.map(([key, member]) => [key, inOrder(member)]));
}

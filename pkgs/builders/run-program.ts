import { captureCaller } from "#floe/base";
import { derivation, type DerivationValue, local } from "#floe/derivation";
import type { Pkgs } from "#floe/package";
import { type GivenInputs, type Program, programDerivation } from "#floe/program";

export interface RunProgramAttributes {
  readonly name: string;
  /** Default `out` alone. */
  readonly outputs?: readonly string[];
  /** Further variables of the derivation, such as `allowedReferences`. Default none. */
  readonly env?: Readonly<Record<string, unknown>>;
}

/** What a program declares as its inputs has to be given, and nothing else. */
type WithInputs<Inputs extends object> =
  Record<never, never> extends Inputs
    ? { readonly inputs?: GivenInputs<Inputs> }
    : { readonly inputs: GivenInputs<Inputs> };

/**
 * Runs a program that is written in TypeScript (`defineProgram` of `#floe/program`). An input is the package that a machine gets; with
 * `nativeOf` of `#floe/package` it is the same package of the platform that builds, for what the program runs.
 *
 * @example pkgs.runProgram(page, { name: "page", inputs: { title: "Hello", minify: nativeOf(pkgs.minify) } })
 */
export type RunProgram = <Inputs extends object>(
  program: Program<Inputs>,
  attributes: RunProgramAttributes & WithInputs<NoInfer<Inputs>>,
) => DerivationValue;

/** Its name in the store says that it is a module. */
const RUNNER = local("../build-side/run-program.ts", { name: "run-program.mts" });

export function makeRunProgram(pkgs: Pkgs): RunProgram {
  return function runProgram(program, { name, inputs = {}, outputs, env }) {
    const at = captureCaller(runProgram);
    const { native } = pkgs;
    const options = {
      name,
      inputs,
      outputs,
      env,
      system: native.platform.system,
      node: native.nodejs,
      runner: RUNNER,
      at,
    };
    return derivation(programDerivation(program as unknown as Program<never>, options));
  };
}

import { CodedError } from "../../base/index.ts";
import { checkIsPlan, type FollowJob, MOST_FOLLOWED, showFollowed } from "../../build/index.ts";
import type { Derivation } from "../../derivation/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { LocalStore } from "../local-store/index.ts";
import type { BuildOptions } from "./build-paths.ts";
import { type MadePlan, makePlan } from "./make-plan.ts";
import type { RealisedOutputs } from "./realised-outputs.ts";

export interface FollowOutputOptions {
  readonly store: LocalStore;
  readonly outputs: RealisedOutputs;
  readonly derivations: ReadonlyMap<StorePath, Derivation> | undefined;
  readonly options: BuildOptions;
  readonly refused: ReadonlySet<StorePath>;
}

/** A derivation that was built, and what is to be done for it. */
export interface FollowedOutput extends MadePlan {
  readonly drvPath: StorePath;
}

/**
 * Plan what is wanted of a derivation that is an output, once that is valid.
 *
 * @param drvPath The output.
 * @throws {CodedError} `build.not-a-plan`, `build.plans-without-end`, those of `planSteps`, with words on where the derivation comes from.
 */
export async function followOutput(
  job: FollowJob,
  drvPath: StorePath,
  { store, outputs, derivations, options, refused }: FollowOutputOptions,
): Promise<FollowedOutput> {
  const { through, neededBy, isTarget, depth } = job;
  const rest = through.slice(1);
  const target = { drvPath, outputs: job.outputs, ...(rest.length === 0 ? {} : { through: rest }) };
  try {
    checkIsPlan(job.drvPath, through[0] as string, drvPath);
    if (depth > MOST_FOLLOWED) throw withoutEnd(drvPath);
    const made = await makePlan({
      store,
      targets: [{ ...target, neededBy, isTarget, depth }],
      derivations,
      paths: [],
      options,
      refused,
      findImpureOutput: (output) => outputs.findFresh(output),
    });
    return { ...made, drvPath };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    const { code, message, hint, details = [], exitCode, cause } = error;
    const origin = `"${drvPath}" is ${showFollowed({ ...job, through: through.slice(0, 1) })} ("${job.drvPath}")`;
    const needed = neededBy.map((path) => `"${path}" needs it`);
    throw new CodedError(code, message, { hint, details: [...details, origin, ...needed], exitCode, cause });
  }
}

function withoutEnd(path: StorePath): CodedError {
  return new CodedError(
    "build.plans-without-end",
    `Cannot build what "${path}" describes: ${MOST_FOLLOWED} derivations before it were written by builders of one another`,
    { hint: "A builder that writes a derivation like its own never comes to an end; let it write several at once." },
  );
}

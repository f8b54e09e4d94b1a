import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeFileAtomic } from "../files/write.ts";
import { type FlakeProjectOptions, makeFlakeProject, writeChanged, writeProject } from "./flake-project.ts";
import { TYPES_FOLDER } from "./types-folder.ts";

export interface FlakeTypesOptions extends FlakeProjectOptions {
  /** Folder of `flake.config.ts`. */
  readonly directory: string;
}

/** What was written for one flake. */
export interface FlakeTypes {
  /** The settings to extend. */
  readonly settings: string;
  /** The flake's own `tsconfig.json`, when it had none and was given one. */
  readonly project?: string;
  /** Inputs whose options are known, by name. */
  readonly inputs: readonly string[];
}

/**
 * Write `.floe` beside a flake: `tsconfig.json`, which leads `#floe/…` to the declarations of this Floe, and what the flake's inputs
 * are: their outputs, and the options of their modules. A flake without a `tsconfig.json` gets one that extends it.
 *
 * @throws {CodedError} `types.no-compiler`, `types.failed`
 */
export async function writeFlakeTypes(options: FlakeTypesOptions): Promise<FlakeTypes> {
  const { directory } = options;
  const made = await makeFlakeProject(options);
  const folder = join(directory, TYPES_FOLDER);
  const settings = writeProject(folder, made, { include: ["../**/*.ts"], exclude: ["../**/node_modules"] });
  writeChanged(join(folder, ".gitignore"), "*\n");
  const project = join(directory, "tsconfig.json");
  const own = existsSync(project);
  if (!own)
    writeFileAtomic(project, `${JSON.stringify({ extends: `./${TYPES_FOLDER}/tsconfig.json` }, undefined, 2)}\n`);
  return { settings, ...(own ? {} : { project }), inputs: made.inputs };
}

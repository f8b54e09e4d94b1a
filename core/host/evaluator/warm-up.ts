import { readFileSync } from "node:fs";
import { LOCK_FILE_NAME, type LockFile, resolveInputs } from "../../flake/index.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { makeQuestion } from "./locked-flake.ts";
import { nodeCommand } from "./sandbox.ts";

/** A program to run, with its standard input. */
export interface WarmUp {
  readonly program: string;
  readonly args: readonly string[];
  readonly input: string;
}

/** A system of this repository, which needs most of the engine. */
const ATTRIBUTE = ["systems", "web"];

/**
 * An evaluation of Floe's own system by the bundle in `dist`, that says what was compiled on its way. Its inputs are taken from
 * where they are declared to lie, whatever is there now: what comes out is used by nobody.
 *
 * @param root The folder of the engine, which is the flake as well.
 */
export function warmUp(root: string): WarmUp {
  const lock = JSON.parse(readFileSync(`${root}/${LOCK_FILE_NAME}`, "utf8")) as LockFile;
  const resolved = resolveInputs(lock, () => undefined);
  const inputs = [...resolved.nodes.values()];
  const hostPath = (storePath: string): string => {
    const locked = inputs.find((input) => input.storePath === storePath)?.locked;
    return `${root}/${locked?.type === "path" ? locked.path.replace(/^\.\//, "") : ""}`;
  };
  const flake = { directory: root, sourceDirectory: root, lock, resolved, hostPath };
  const question = {
    ...makeQuestion(flake, { want: "value", candidates: [ATTRIBUTE], attribute: ATTRIBUTE.join(".") }),
    bundle: "that is being made",
    tellCode: true,
  };
  const { program, args } = nodeCommand(question, DEFAULT_LIMITS);
  return { program, args, input: `${JSON.stringify(question)}\n` };
}

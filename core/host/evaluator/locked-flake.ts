import { existsSync } from "node:fs";
import type { LockedSource, LockFile, ResolvedInputs, SourceInfo } from "../../flake/index.ts";
import { ENGINE_FOLDERS, engineBundle, findEngine } from "./engine.ts";
import { rootsOf } from "./mount-roots.ts";
import { ENGINE_PLACE, FLAKE_PLACE, Places } from "./places.ts";
import type { AgentQuestion, EvaluatorQuestion, Expression, InputNode, Mount, Want } from "./protocol.ts";

/** A flake on this machine. */
export interface FlakeLocation {
  /** Folder of `flake.config.ts`, absolute. */
  readonly directory: string;
  /** The tree it belongs to (a checkout, or the folder itself), absolute. */
  readonly sourceDirectory: string;
  /** Files of that tree that count, relative to it; absent: all. */
  readonly files?: readonly string[];
  readonly lock: LockFile;
  /** Inputs, by their path, that the command puts something else in the place of. Default none. */
  readonly replaced?: readonly string[] | undefined;
}

/** A flake with every source it needs at hand. */
export interface LockedFlake extends FlakeLocation {
  readonly resolved: ResolvedInputs;
  /** Where a store path is on the host. */
  readonly hostPath: (storePath: string) => string;
  /** Store paths of outputs that were built for the evaluation. Default none. */
  readonly built?: readonly string[];
}

/** Name of the file that makes a folder a flake. */
export const FLAKE_FILE_NAME = "flake.config.ts";

export interface Question {
  readonly want: Want;
  /** Places to look for the attribute, in order. */
  readonly candidates: readonly (readonly string[])[];
  /** What the user wrote, for errors. */
  readonly attribute: string;
  /** What becomes of the value that was found, or takes its place. */
  readonly expression?: Expression | undefined;
}

/** Write the question for the evaluation's process. */
export function makeQuestion(
  flake: LockedFlake,
  { want, candidates, attribute, expression }: Question,
): EvaluatorQuestion {
  const bundle = engineBundle();
  const nodes: Record<string, InputNode> = {};
  const mounts = ownMounts(flake);
  for (const [id, input] of flake.resolved.nodes) {
    const hostPath = flake.hostPath(input.storePath);
    const dir = input.locked.dir ?? "";
    const below = dir === "" ? FLAKE_FILE_NAME : `${dir}/${FLAKE_FILE_NAME}`;
    const isFlake = input.isFlake && existsSync(`${hostPath}/${below}`);
    nodes[id] = {
      storePath: input.storePath,
      dir,
      ...(isFlake ? { configFile: `${input.storePath}/${below}` } : {}),
      sourceInfo: sourceInfoOf(input.locked),
      inputs: input.inputs,
    };
    mounts.push({ path: input.storePath, hostPath, name: `the input ${id}` });
  }
  const { built = [] } = flake;
  for (const path of built) mounts.push({ path, hostPath: flake.hostPath(path), name: path });
  const flakeFolder = `${FLAKE_PLACE}${flake.directory.slice(flake.sourceDirectory.length)}`;
  const agent: AgentQuestion = {
    want,
    candidates,
    attribute,
    lock: flake.lock,
    replaced: flake.replaced ?? [],
    ...(expression === undefined ? {} : { expression: expression.kind }),
    flakeFolder,
    inputs: flake.resolved.inputs,
    nodes,
  };
  return {
    engine: findEngine(),
    ...(bundle === undefined ? {} : { bundle }),
    ...(built.length === 0 ? {} : { built }),
    configFile: `${flakeFolder}/${FLAKE_FILE_NAME}`,
    mounts,
    roots: rootsOf(mounts),
    agent,
    ...(expression === undefined ? {} : { expression }),
  };
}

/** Places in a flake and in the engine, for values that came out of an evaluation earlier. */
export function placesOf(flake: FlakeLocation): Places {
  return new Places(ownMounts(flake));
}

/** The engine, then the flake. Floe's own flake is both, and then each of its modules is there once. */
function ownMounts({ sourceDirectory, files }: FlakeLocation): Mount[] {
  const engine = findEngine();
  return [
    {
      path: engine === sourceDirectory ? FLAKE_PLACE : ENGINE_PLACE,
      hostPath: engine,
      name: "Floe",
      folders: ENGINE_FOLDERS,
    },
    {
      path: FLAKE_PLACE,
      hostPath: sourceDirectory,
      name: "the flake",
      ...(files === undefined ? {} : { files }),
    },
  ];
}

function sourceInfoOf(locked: LockedSource): SourceInfo {
  const { narHash, lastModified } = locked;
  if (locked.type === "path") return { type: "path", narHash, lastModified };
  const { type, url, rev } = locked;
  return {
    type,
    url,
    ...(rev === undefined ? {} : { rev, shortRev: rev.slice(0, 7) }),
    ...(locked.type !== "git" || locked.ref === undefined ? {} : { ref: locked.ref }),
    narHash,
    lastModified,
  };
}

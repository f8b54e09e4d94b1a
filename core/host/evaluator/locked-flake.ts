import { existsSync } from "node:fs";
import type { LockedSource, LockFile, ResolvedInputs, SourceInfo } from "../../flake/index.ts";
import { ENGINE_FOLDERS, findEngine } from "./engine.ts";
import type { AgentQuestion, EvaluatorQuestion, InputNode, Mount, Want } from "./protocol.ts";

/** A flake on this machine. */
export interface FlakeLocation {
  /** Folder of `flake.config.ts`, absolute. */
  readonly directory: string;
  /** The tree it belongs to (a checkout, or the folder itself), absolute. */
  readonly sourceDirectory: string;
  /** Files of that tree that count, relative to it; absent: all. */
  readonly files?: readonly string[];
  readonly lock: LockFile;
}

/** A flake with every source it needs at hand. */
export interface LockedFlake extends FlakeLocation {
  readonly resolved: ResolvedInputs;
  /** Where a store path is on the host. */
  readonly hostPath: (storePath: string) => string;
}

/** Name of the file that makes a folder a flake. */
export const FLAKE_FILE_NAME = "flake.config.ts";

export interface Question {
  readonly want: Want;
  /** Places to look for the attribute, in order. */
  readonly candidates: readonly (readonly string[])[];
  /** What the user wrote, for errors. */
  readonly attribute: string;
}

/** Write the question for the evaluation's process. */
export function makeQuestion(flake: LockedFlake, { want, candidates, attribute }: Question): EvaluatorQuestion {
  const engine = findEngine();
  const nodes: Record<string, InputNode> = {};
  const mounts: Mount[] = [
    { path: engine, hostPath: engine, name: "Floe", folders: ENGINE_FOLDERS },
    {
      path: flake.sourceDirectory,
      hostPath: flake.sourceDirectory,
      name: "the flake",
      ...(flake.files === undefined ? {} : { files: flake.files }),
    },
  ];
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
  const agent: AgentQuestion = {
    want,
    candidates,
    attribute,
    lock: flake.lock,
    flakeFolder: flake.directory,
    inputs: flake.resolved.inputs,
    nodes,
  };
  return { engine, configFile: `${flake.directory}/${FLAKE_FILE_NAME}`, mounts, agent };
}

function sourceInfoOf(locked: LockedSource): SourceInfo {
  const { narHash, lastModified } = locked;
  if (locked.type === "path") return { type: "path", narHash, lastModified };
  const { url, rev, ref } = locked;
  return {
    type: "git",
    url,
    rev,
    shortRev: rev.slice(0, 7),
    ...(ref === undefined ? {} : { ref }),
    narHash,
    lastModified,
  };
}

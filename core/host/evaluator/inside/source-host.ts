import { hashModules, hashTree, listTree, readOutput } from "floe:host";
import { CodedError, parseHash } from "../../../base/index.ts";
import type { SourceHost } from "../../../derivation/index.ts";
import type { HostFailure, ModuleTreeReport, TreeHash, TreeListing } from "../protocol.ts";

/** Sources by way of the process outside. Filters are functions of this realm, so they are asked here. */
export const realmSourceHost: SourceHost = {
  hashTree(hostPath, filter, from = "") {
    let kept = "";
    if (filter !== undefined) {
      const { entries } = read<TreeListing>(listTree(hostPath, from));
      const left: string[] = [];
      const skipped: string[] = [];
      for (const [relative, kind] of entries) {
        if (skipped.some((folder) => relative.startsWith(folder))) continue;
        if (filter(relative, kind)) left.push(relative);
        else if (kind === "directory") skipped.push(`${relative}/`);
      }
      kept = JSON.stringify(left);
    }
    const { narHash, narSize, files } = read<TreeHash>(hashTree(hostPath, kept, from));
    return { narHash: parseHash(narHash), narSize, ...(files === undefined ? {} : { files }) };
  },
  hashModules(file) {
    const { narHash, ...tree } = read<ModuleTreeReport>(hashModules(file));
    return { ...tree, narHash: parseHash(narHash) };
  },
  readOutput: (path, object) => read<string | null>(readOutput(path, object)) ?? undefined,
};

/** @throws {CodedError} what the host reported. */
export function read<T>(json: string): T {
  const answer = JSON.parse(json) as T | HostFailure;
  if (typeof answer !== "object" || answer === null || !("failed" in answer)) return answer as T;
  const { code, message, hint, at } = answer.failed;
  throw new CodedError(code, message, { hint, at });
}

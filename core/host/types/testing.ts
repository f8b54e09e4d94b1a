import type { ResolvedInput } from "../../flake/index.ts";
import { parseStorePath } from "../../store/index.ts";

/** A locked input, for tests that say with `hostPath` where its files are. */
export function testInput(id: string, more: Partial<ResolvedInput> = {}): ResolvedInput {
  const digest = id.replaceAll(/[^0-9a-df-np-sv-z]/g, "0").padEnd(32, "0");
  return {
    id,
    storePath: parseStorePath(`/nix/store/${digest}-source`),
    locked: { type: "path", path: "/nowhere", narHash: "", lastModified: 0 },
    isFlake: true,
    original: `git+https://git.example/${id}`,
    inputs: {},
    ...more,
  };
}

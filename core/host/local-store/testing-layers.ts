import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../files/index.ts";
import { type LocalStore, openLocalStore } from "./local-store.ts";

/** A lower store that was filled and closed, and the address of a store upon it. */
export interface TemporaryLayers {
  readonly folder: string;
  readonly lowerRoot: string;
  readonly upperLayer: string;
  readonly address: string;
  /** The store upon it, opened once. */
  readonly store: LocalStore;
  close(): void;
}

/** Whether an overlay file system can be mounted here; why not, where not. */
export function overlayRefusal(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "floe-layers-"));
  const refused = makeMount(folder, join(folder, "l"));
  if (refused === undefined) spawnSync("umount", [join(folder, "m/nix/store")]);
  removeTree(folder);
  return refused;
}

/**
 * A store upon another one, in a temporary folder.
 *
 * @param fill Adds objects to the lower store.
 * @param options `isMounted`: an overlay is mounted where the store is; `isImmutable`: the lower store is opened as one nobody changes.
 */
export async function openTemporaryLayers(
  fill: (lower: LocalStore) => unknown = () => {},
  { isMounted = false, isImmutable = false }: { readonly isMounted?: boolean; readonly isImmutable?: boolean } = {},
): Promise<TemporaryLayers> {
  const folder = mkdtempSync(join(tmpdir(), "floe-layers-"));
  const lowerRoot = join(folder, "lower");
  const lower = openLocalStore({ root: lowerRoot });
  await fill(lower);
  lower.close();
  const upperLayer = join(folder, "upper");
  if (isMounted) {
    const refused = makeMount(folder, join(lowerRoot, "nix/store"));
    if (refused !== undefined) throw new Error(refused);
  }
  const lowerStore = encodeURIComponent(`local?root=${lowerRoot}${isImmutable ? "&read-only=true" : ""}`);
  const address = `local-overlay://?root=${folder}/m&lower-store=${lowerStore}&upper-layer=${upperLayer}`;
  const store = openLocalStore({ root: address });
  return {
    folder,
    lowerRoot,
    upperLayer,
    address,
    store,
    close() {
      store.close();
      if (isMounted) spawnSync("umount", [join(folder, "m/nix/store")]);
      removeTree(folder);
    },
  };
}

function makeMount(folder: string, lower: string): string | undefined {
  const [upper, work, place] = ["upper", "work", "m/nix/store"].map((name) => join(folder, name));
  for (const each of [lower, upper, work, place]) mkdirSync(each as string, { recursive: true });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  const { status, stderr, error } = spawnSync("mount", ["-t", "overlay", "overlay", "-o", options, place as string], {
    encoding: "utf8",
  });
  return status === 0 ? undefined : (error?.message ?? stderr);
}

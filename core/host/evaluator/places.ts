import { EXPRESSION_PLACE } from "./inside/expression-place.ts";
import type { Mount } from "./protocol.ts";

/**
 * Where the flake and the engine seem to lie during an evaluation, wherever they are: what configuration can see must not tell
 * two checkouts apart. Inputs seem to lie under their store paths.
 */
export const FLAKE_PLACE = "/@flake";
export const ENGINE_PLACE = "/@floe";

/** Tells places of an evaluation as places on this machine. */
export class Places {
  readonly #mounts: readonly Mount[];

  constructor(mounts: readonly Mount[]) {
    this.#mounts = mounts;
  }

  /** A text for people: every place in the flake or the engine that it mentions becomes one that an editor can open. */
  onHost(text: string): string {
    let told = replacePlace(text, EXPRESSION_PLACE, "<expression>");
    for (const { path, hostPath } of this.#mounts) {
      // What lies in the store is called by its store path outside, too.
      if (path === FLAKE_PLACE || path === ENGINE_PLACE) told = replacePlace(told, path, hostPath);
    }
    return told;
  }

  /** Where a file of one of the sources is on this machine. */
  fileOnHost(file: string): string | undefined {
    const mount = this.#mounts.find(({ path }) => file.startsWith(`${path}/`));
    return mount === undefined ? undefined : `${mount.hostPath}${file.slice(mount.path.length)}`;
  }

  /** Where a file of this machine seems to lie inside; `undefined` when it is in no source. */
  inside(file: string): string | undefined {
    const [mount] = this.#mounts
      .filter(({ hostPath, folders }) => folders === undefined && file.startsWith(`${hostPath}/`))
      .sort((a, b) => b.hostPath.length - a.hostPath.length);
    return mount === undefined ? undefined : `${mount.path}${file.slice(mount.hostPath.length)}`;
  }

  /** Whether a file that an evaluation speaks of lies in one of its sources. */
  has(file: string): boolean {
    return file === EXPRESSION_PLACE || this.#mounts.some(({ path }) => file === path || file.startsWith(`${path}/`));
  }

  /** Whether a file is one of the engine's floors, whose frames tell users nothing. */
  isEngine(file: string): boolean {
    return this.#mounts.some(({ path, folders }) => folders !== undefined && file.startsWith(`${path}/core/`));
  }
}

function replacePlace(text: string, path: string, hostPath: string): string {
  if (!text.includes(path)) return text;
  return text.replace(new RegExp(`(?<![\\w./-])${path}(?![\\w-])`, "g"), () => hostPath);
}

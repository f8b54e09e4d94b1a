import { type BuildTarget, isBuildJob, planBuild } from "../../build/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { DerivedPath } from "../../store/wire/index.ts";
import { targetOf } from "./realise.ts";
import type { ClientSettings, StoreServices, Substitute } from "./served-store.ts";

/** What would have to be done so that something is valid. */
export interface Missing {
  readonly willBuild: readonly StorePath[];
  readonly willSubstitute: readonly StorePath[];
  readonly unknown: readonly StorePath[];
  readonly downloadBytes: number;
  /** Size of the archives that would be fetched. */
  readonly narBytes: number;
}

/** Plan without doing: what is there, what another store has, what is to be built, what nobody knows. */
export async function planMissing(
  services: StoreServices,
  wishes: readonly DerivedPath[],
  settings: ClientSettings,
): Promise<Missing> {
  const reach = new Reach(services, settings.substitute);
  const unknown = new Set<StorePath>();
  const targets: BuildTarget[] = [];
  await reach.look(wishes.map(pathOf));
  for (const wish of wishes) {
    const path = pathOf(wish);
    if (!reach.has(path)) unknown.add(path);
    else if (wish.kind === "outputs" && (await services.store.isValid(path))) targets.push(targetOf(wish));
  }
  const willBuild = await planTargets();
  const fetched = [...reach.fetched];
  return {
    willBuild,
    willSubstitute: fetched.map(([path]) => path),
    unknown: [...unknown],
    downloadBytes: sum(fetched.map(([, { downloadBytes }]) => downloadBytes)),
    narBytes: sum(fetched.map(([, { info }]) => info.narSize)),
  };

  /** What can be fetched need not be built. A plan asks for outputs as it goes, so it is made anew until it has all answers. */
  async function planTargets(): Promise<StorePath[]> {
    for (const asked = new Set<StorePath>(); ; ) {
      const open: StorePath[] = [];
      const { jobs } = planBuild({
        targets,
        readDerivation: (path) => services.store.readDerivation(path),
        findOutput: ({ drvPath, output }) =>
          services.store.findOutput?.(services.store.readDerivation(drvPath), output),
        isValid(path) {
          if (asked.has(path as StorePath)) return reach.has(path as StorePath);
          open.push(path as StorePath);
          return true;
        },
      });
      // What is to be done for derivations that are outputs shows when these are built.
      if (open.length === 0) return jobs.filter(isBuildJob).map(({ id }) => id);
      await reach.look(open);
      for (const path of open) asked.add(path);
    }
  }
}

/** What is valid, or can be fetched with everything it refers to. */
class Reach {
  readonly #services: StoreServices;
  readonly #substitute: boolean;
  readonly #found = new Map<StorePath, Substitute | "valid" | "nowhere">();
  /** What has to be fetched for the paths that {@link has} was asked for. */
  readonly fetched = new Map<StorePath, Substitute>();

  constructor(services: StoreServices, substitute: boolean) {
    this.#services = services;
    this.#substitute = substitute;
  }

  /** Find out about paths and what they refer to; each level of the graph is asked for at once. */
  async look(paths: readonly StorePath[]): Promise<void> {
    const { store, findSubstitutes } = this.#services;
    for (let open = [...new Set(paths)].filter((path) => !this.#found.has(path)); open.length > 0; ) {
      const missing: StorePath[] = [];
      for (const path of open) {
        if (await store.isValid(path)) this.#found.set(path, "valid");
        else missing.push(path);
      }
      const offers = this.#substitute ? await findSubstitutes?.(missing) : undefined;
      const next = new Set<StorePath>();
      for (const path of missing) {
        const offer = offers?.get(path);
        this.#found.set(path, offer ?? "nowhere");
        for (const reference of offer?.info.references ?? []) next.add(reference);
      }
      open = [...next].filter((path) => !this.#found.has(path));
    }
  }

  /** Whether a path that was looked at is valid, or it and all it refers to can be fetched. */
  has(start: StorePath): boolean {
    const needed = new Map<StorePath, Substitute>();
    const pending = [start];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      const found = this.#found.get(path) ?? "nowhere";
      if (found === "nowhere") return false;
      if (found === "valid" || needed.has(path)) continue;
      needed.set(path, found);
      pending.push(...found.info.references);
    }
    for (const [path, substitute] of needed) this.fetched.set(path, substitute);
    return true;
  }
}

function pathOf(wish: DerivedPath): StorePath {
  return wish.kind === "object" ? wish.path : wish.drvPath;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

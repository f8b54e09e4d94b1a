import { planBuild } from "../../build/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { DerivedPath } from "../../store/wire/index.ts";
import type { ClientSettings, StoreServices } from "./served-store.ts";

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
  { store, findSubstitute }: StoreServices,
  wishes: readonly DerivedPath[],
  settings: ClientSettings,
): Promise<Missing> {
  const fetched = new Map<StorePath, { downloadBytes: number; narBytes: number }>();
  const unknown = new Set<StorePath>();
  const find = settings.substitute ? findSubstitute : undefined;

  /** Whether the object is valid, or it and what it refers to can be fetched. */
  async function isWithinReach(start: StorePath): Promise<boolean> {
    const pending = [start];
    for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
      if (fetched.has(path) || (await store.isValid(path))) continue;
      const substitute = await find?.(path);
      if (substitute === undefined) return false;
      fetched.set(path, { downloadBytes: substitute.downloadBytes, narBytes: substitute.info.narSize });
      pending.push(...substitute.info.references.filter((reference) => reference !== path));
    }
    return true;
  }

  const targets: { drvPath: StorePath; outputs?: readonly string[] }[] = [];
  for (const wish of wishes) {
    const path = wish.kind === "object" ? wish.path : wish.drvPath;
    if (!(await isWithinReach(path))) unknown.add(path);
    else if (wish.kind === "outputs" && (await store.isValid(path)))
      targets.push({ drvPath: path, ...(wish.outputs === "all" ? {} : { outputs: wish.outputs }) });
  }
  const willBuild = await planTargets();
  return {
    willBuild,
    willSubstitute: [...fetched.keys()],
    unknown: [...unknown],
    downloadBytes: sum([...fetched.values()].map((each) => each.downloadBytes)),
    narBytes: sum([...fetched.values()].map((each) => each.narBytes)),
  };

  async function planTargets(): Promise<StorePath[]> {
    // What can be fetched need not be built. A plan asks for outputs one by one, so answers are gathered until it is content.
    const answers = new Map<StorePath, boolean>();
    for (;;) {
      const open: StorePath[] = [];
      const jobs = planBuild({
        targets,
        readDerivation: (path) => store.readDerivation(path),
        isValid: (path) => {
          const known = answers.get(path as StorePath);
          if (known === undefined) open.push(path as StorePath);
          return known ?? true;
        },
      }).jobs;
      if (open.length === 0) return jobs.map(({ id }) => id);
      for (const path of open) answers.set(path, await isWithinReach(path));
    }
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

import { CodedError } from "../../core/base/index.ts";
import { formatLocked, type Registry } from "../../core/flake/index.ts";
import type { OpenFlakeOptions } from "../../core/host/flake/index.ts";
import type { Substituters } from "../../core/host/substitute/index.ts";
import type { CliContext } from "./context.ts";
import type { LockFlags, SubstituteFlags } from "./flags.ts";

type FromFlags = Pick<
  OpenFlakeOptions,
  | "cwd"
  | "locked"
  | "offline"
  | "replace"
  | "referenceLockFile"
  | "outputLockFile"
  | "writeLock"
  | "signal"
  | "substituters"
  | "names"
>;

export interface LockOptions extends AsyncDisposable {
  /** What the flags of a command say of inputs and their lock. */
  readonly options: FromFlags;
}

/**
 * Read the flags that say how a command treats inputs and their lock. To be disposed of when the flake is no longer used.
 *
 * @throws {CodedError} `cli.bad-override`, and those of the flakes that `--inputs-from` names
 */
export async function lockOptions(
  context: CliContext,
  flags: Partial<LockFlags & SubstituteFlags>,
  store: OpenFlakeOptions["store"],
): Promise<LockOptions> {
  const { locked = false, offline = false, updateLockFile = true, inputsFrom = [] } = flags;
  const { cwd, signal } = context;
  let opened: Promise<Substituters | undefined> | undefined;
  const options: FromFlags = {
    cwd,
    signal,
    offline,
    locked: locked || !updateLockFile,
    replace: parseOverrides(flags.overrideInput ?? []),
    referenceLockFile: flags.referenceLockFile,
    outputLockFile: flags.outputLockFile,
    writeLock: flags.writeLockFile,
    substituters: () => (opened ??= openStores(context, flags)),
  };
  const close = async (): Promise<void> => (await opened?.catch(() => undefined))?.close();
  try {
    const names = await namesOf(inputsFrom, { ...options, replace: undefined, outputLockFile: undefined, store });
    return { options: { ...options, names }, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function parseOverrides(texts: readonly string[]): ReadonlyMap<string, string> {
  return new Map(
    texts.map((text) => {
      const [, input, flake] = /^([A-Za-z_][A-Za-z0-9_-]*(?:\/[A-Za-z_][A-Za-z0-9_-]*)*)=(.+)$/s.exec(text) ?? [];
      if (input !== undefined && flake !== undefined) return [input, flake];
      throw new CodedError("cli.bad-override", `Cannot replace an input by "${text}": expected an input and a flake`, {
        hint: "Write: --override-input INPUT github:OWNER/REPO, with b/c for the input c of b.",
      });
    }),
  );
}

/** The stores of the settings that may have sources already. */
async function openStores(context: CliContext, flags: Partial<SubstituteFlags>): Promise<Substituters | undefined> {
  const { openSubstituteStores } = await import("./substitute.ts");
  const all = { substitute: true, offline: false, refresh: false, ...flags };
  return openSubstituteStores(context, all, (message) => context.say(`warning: ${message}`));
}

/** What the inputs of flakes are locked to, by their names; the first flake that has a name counts. */
async function namesOf(flakes: readonly string[], options: Omit<OpenFlakeOptions, "reference">): Promise<Registry> {
  const names: Record<string, string> = {};
  if (flakes.length === 0) return names;
  const { openFlake } = await import("../../core/host/flake/index.ts");
  for (const reference of flakes) {
    const flake = await openFlake({ ...options, reference, locked: true });
    const { inputs, nodes } = await flake.resolveInputs();
    for (const [name, id] of Object.entries(inputs)) {
      const input = nodes.get(id);
      if (input === undefined || Object.hasOwn(names, name)) continue;
      const { locked, storePath } = input;
      // A folder may have changed since; what was locked lies in the store.
      names[name] =
        locked.type === "path" ? inStore(options.store.realPath(storePath), locked.dir) : formatLocked(locked);
    }
  }
  return names;
}

function inStore(path: string, dir: string | undefined): string {
  return `path:${path}${dir === undefined ? "" : `?dir=${dir}`}`;
}

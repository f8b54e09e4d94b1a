import { CodedError } from "../../core/base/index.ts";
import { formatLocked, type Registry } from "../../core/flake/index.ts";
import type { OpenFlakeOptions } from "../../core/host/flake/index.ts";
import type { LocalStore } from "../../core/host/local-store/index.ts";
import type { Substituters } from "../../core/host/substitute/index.ts";
import type { CliContext } from "./context.ts";
import type { NextLine } from "./debug-prompt.ts";
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
  | "build"
  | "onProfile"
  | "onSettings"
  | "debugger"
>;

export interface LockOptions extends AsyncDisposable {
  /** What the flags of a command say of inputs and their lock. */
  readonly options: FromFlags;
}

/**
 * Read the flags that say how a command treats inputs and their lock, and how evaluations are watched. To be disposed of when the
 * flake is no longer used.
 *
 * @param nextLine Where answers of the user and commands of a debugger come from. Default the standard input.
 * @throws {CodedError} `cli.bad-override`, and those of the flakes that `--inputs-from` names
 */
export async function lockOptions(
  context: CliContext,
  flags: Partial<LockFlags & SubstituteFlags>,
  store: LocalStore,
  nextLine?: NextLine,
): Promise<LockOptions> {
  const { locked = false, offline = false, updateLockFile = true, inputsFrom = [], evalProfile } = flags;
  const { cwd, signal } = context;
  const onProfile =
    evalProfile === undefined ? undefined : (await import("./eval-profile.ts")).makeProfileWriter(context, evalProfile);
  const debug = isDebugged(flags)
    ? (await import("./debug-prompt.ts")).makeDebugger(context, flags, nextLine)
    : undefined;
  const opened: Promise<Substituters | undefined>[] = [];
  /** The stores as they count now, once they are needed. */
  let stores: Promise<Substituters | undefined> | undefined;
  const options: FromFlags = {
    cwd,
    signal,
    offline,
    locked: locked || !updateLockFile,
    replace: parseOverrides(flags.overrideInput ?? []),
    referenceLockFile: flags.referenceLockFile,
    outputLockFile: flags.outputLockFile,
    ...(flags.allowImportFromDerivation === false
      ? {}
      : {
          build: async (needed) => {
            const { buildForEvaluation } = await import("./build-for-evaluation.ts");
            await buildForEvaluation(context, store, flags, needed);
          },
        }),
    onSettings: async (settings) => {
      const { grantSettings } = await import("./grant-settings.ts");
      const ask = nextLine === undefined || process.stdin.isTTY !== true ? {} : { ask: nextLine };
      await grantSettings(settings, { context, accept: flags.acceptFlakeConfig, ...ask });
      // The flake itself may have come from stores that were opened before it was known which ones it wants.
      stores = undefined;
    },
    writeLock: flags.writeLockFile,
    substituters() {
      if (stores === undefined) opened.push((stores = openStores(context, flags)));
      return stores;
    },
  };
  const close = async (): Promise<void> => {
    debug?.[Symbol.dispose]();
    for (const each of opened) (await each.catch(() => undefined))?.close();
  };
  try {
    const names = await namesOf(inputsFrom, {
      ...options,
      onSettings: undefined,
      replace: undefined,
      outputLockFile: undefined,
      store,
    });
    const watched = { onProfile, debugger: debug };
    return { options: { ...options, ...watched, names }, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

function isDebugged(flags: Partial<LockFlags>): boolean {
  return flags.debugger === true || flags.debuggerOnWarn === true || (flags.break ?? []).length > 0;
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

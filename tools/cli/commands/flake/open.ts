import { defaultStoreRoot, type LocalStore, openLocalStore } from "../../../../core/host/local-store/index.ts";
import { type OpenFlake, openFlake } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";

export interface OpenForFlags {
  readonly flake: string;
  readonly store?: string | undefined;
  readonly locked?: boolean;
  readonly offline?: boolean;
}

export interface Opened extends Disposable {
  readonly flake: OpenFlake;
  readonly store: LocalStore;
}

/** Open a flake with the store its inputs go to, for a command. */
export async function openForCommand(
  context: CliContext,
  { flake, store: root, locked = false, offline = false }: OpenForFlags,
): Promise<Opened> {
  const store = openLocalStore({ root: root ?? defaultStoreRoot() });
  try {
    const opened = await openFlake({
      reference: flake,
      cwd: context.cwd,
      store,
      locked,
      offline,
      signal: context.signal,
      onNotice: (text) => context.say(text),
    });
    return { flake: opened, store, [Symbol.dispose]: () => store.close() };
  } catch (error) {
    store.close();
    throw error;
  }
}

import { defaultStoreRoot, type LocalStore, openLocalStore } from "../../../../core/host/local-store/index.ts";
import { type OpenFlake, openFlake } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import type { LockFlags } from "../../flags.ts";
import { lockOptions } from "../../lock-options.ts";

export interface OpenForFlags extends Partial<LockFlags> {
  readonly flake: string;
  readonly store?: string | undefined;
}

export interface Opened extends Disposable {
  readonly flake: OpenFlake;
  readonly store: LocalStore;
}

/** Open a flake with the store its inputs go to, for a command. */
export async function openForCommand(context: CliContext, flags: OpenForFlags): Promise<Opened> {
  const store = openLocalStore({ root: flags.store ?? defaultStoreRoot() });
  const closing: (() => void)[] = [() => store.close()];
  const close = (): void => closing.forEach((each) => each());
  try {
    const lock = await lockOptions(context, flags, store);
    closing.unshift(() => void lock[Symbol.asyncDispose]());
    const onNotice = (text: string): void => context.say(text);
    const flake = await openFlake({ ...lock.options, reference: flags.flake, store, onNotice });
    return { flake, store, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

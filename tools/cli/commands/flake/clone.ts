import { resolve } from "node:path";
import { cloneFlake } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import { lockOptions } from "../../lock-options.ts";
import { openStore } from "../../store.ts";
import type { AskFlags } from "./index.ts";

/** `floe flake clone`: the repository of a flake, to work in. */
export default async function clone(
  this: CliContext,
  flags: AskFlags,
  reference: string,
  folder: string,
): Promise<void> {
  using store = openStore(flags);
  await using lock = await lockOptions(this, flags, store);
  const directory = resolve(this.cwd, folder);
  const onNotice = (text: string): void => this.say(text);
  const rev = await cloneFlake({ ...lock.options, reference, store, onNotice }, directory);
  if (flags.json) return this.printJson({ directory, rev });
  this.say(`Cloned to ${directory} at ${rev.slice(0, 10)}`);
}

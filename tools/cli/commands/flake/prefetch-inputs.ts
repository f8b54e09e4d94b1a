import { sortedText } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import type { AskFlags } from "./index.ts";
import { openForCommand } from "./open.ts";

/** `floe flake prefetch-inputs`: fetch what the lock names and is not there yet, at the same time. */
export default async function prefetchInputs(this: CliContext, flags: AskFlags, reference: string): Promise<void> {
  using opened = await openForCommand(this, { ...flags, flake: reference });
  const { nodes } = await opened.flake.resolveInputs();
  const paths = sortedText(new Set([...nodes.values()].map(({ storePath }) => storePath)));
  if (flags.json)
    return this.printJson(Object.fromEntries([...nodes].map(([id, { storePath }]) => [id, { path: storePath }])));
  for (const path of paths) this.print(path);
}

import { hostPlatform } from "../../../../core/host/flake/index.ts";
import type { CliContext } from "../../context.ts";
import type { BuildFlags } from "../../flags.ts";
import { runInstallable } from "../run/run.ts";

/** `floe fmt`: the program that a flake formats itself with. */
export default async function fmt(this: CliContext, flags: BuildFlags, ...words: string[]): Promise<void> {
  await runInstallable(this, { flags, text: `.#formatter.${hostPlatform()}`, words, kinds: [] });
}

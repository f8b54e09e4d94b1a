import { compareText } from "../../../../core/base/index.ts";
import { showDerivation } from "../../../../core/derivation/index.ts";
import { parseStorePath, type StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { followTarget } from "../../follow-target.ts";
import { resolveInstallables } from "../../resolve.ts";
import { openStore } from "../../store.ts";
import type { ShowFlags } from "./index.ts";

/** Print derivations as one JSON object keyed by their path, as `nix derivation show` does. */
export default async function show(this: CliContext, flags: ShowFlags, ...installables: string[]): Promise<void> {
  using store = openStore(flags);
  const resolved = await resolveInstallables(installables, { context: this, store, flags });
  const queue = resolved.flatMap(({ targets }) => targets.map((target) => followTarget(target, store).drvPath));
  const shown = new Map<StorePath, unknown>();
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (shown.has(path)) continue;
    const drv = store.readDerivation(path);
    shown.set(path, showDerivation(drv));
    if (flags.recursive) queue.push(...[...drv.inputDerivations.keys()].map((input) => parseStorePath(input)));
  }
  this.printJson(Object.fromEntries([...shown].sort(([a], [b]) => compareText(a, b))));
}

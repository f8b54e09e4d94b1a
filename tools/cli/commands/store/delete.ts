import { deletePaths } from "../../../../core/host/collector/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { showGcProgress } from "../../ui/gc-progress.ts";
import type { DeleteFlags } from "./collector-commands.ts";
import { describe } from "./gc.ts";
import { getPathInfo } from "./valid-path.ts";

/** `floe store delete`. */
export default async function deleteObjects(this: CliContext, flags: DeleteFlags, ...texts: string[]): Promise<void> {
  const { root, paths } = find(flags, texts);
  using progress = showGcProgress(this);
  const { recursive, alsoReferrers, skipAlive, ignoreLiveness, dryRun } = flags;
  const report = await deletePaths({
    root,
    paths,
    recursive,
    alsoReferrers,
    skipAlive,
    ignoreLiveness,
    dryRun,
    signal: this.signal,
    events: progress.show,
  });
  progress.clear();
  if (flags.json) return this.printJson({ deleted: report.deleted, freedBytes: report.freedBytes, paths: report.dead });
  for (const path of report.dead) this.print(path);
  this.say(describe(report, dryRun));
}

/** The objects that are meant, all of them valid. */
function find(flags: DeleteFlags, texts: readonly string[]) {
  using store = openStore(flags, { readOnly: true });
  return { root: store.layout, paths: texts.map((text) => getPathInfo(store, text).path) };
}

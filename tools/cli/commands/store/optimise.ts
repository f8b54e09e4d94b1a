import { optimiseStore } from "../../../../core/host/maintenance/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { formatBytes } from "../../text.ts";
import type { OptimiseFlags } from "./care.ts";
import { showProgress } from "./progress.ts";

/** Join equal files of the store and say what that saved. */
export default async function optimise(this: CliContext, flags: OptimiseFlags): Promise<void> {
  using store = openStore(flags);
  const progress = showProgress(this, "objects");
  const report = await optimiseStore(store, { signal: this.signal, onProgress: progress.show });
  progress.clear();
  if (flags.json) return this.printJson(report);
  for (const link of report.damagedLinks) this.say(`removed ${link}: its contents were not those its name tells`);
  if (report.damagedLinks.length > 0) this.say("`floe store verify` shows whether objects are damaged as well");
  this.say(
    `${formatBytes(report.bytesFreed)} freed: ${report.linked} of ${report.files} files in ${report.objects} store objects became links`,
  );
}

import { defaultStoreRoot } from "../../../../core/host/local-store/index.ts";
import { recoverStore, type RecoveryReport } from "../../../../core/host/maintenance/index.ts";
import type { CliContext } from "../../context.ts";
import type { RecoverFlags } from "./care.ts";
import { showProgress } from "./progress.ts";

/** Make the database of a store anew and tell what came back from where, and what did not. */
export default async function recover(this: CliContext, flags: RecoverFlags): Promise<void> {
  const progress = showProgress(this, "objects hashed");
  const report = await recoverStore({
    root: flags.store ?? defaultStoreRoot(),
    contents: flags.contents,
    force: flags.force,
    signal: this.signal,
    onProgress: progress.show,
  });
  progress.clear();
  if (flags.json) return this.printJson(report);
  for (const line of describe(report)) this.say(line);
  for (const { path, why } of report.lost) this.print(`${path}: ${why}`);
}

function* describe(report: RecoveryReport): Generator<string> {
  if (report.journalDamageBytes > 0) yield `${report.journalDamageBytes} bytes of the journal could not be read`;
  if (report.alreadyWhole) return yield "the database is whole and agrees with the journal; --force makes it anew";
  const { journal, database, files } = report.recovered;
  yield `${journal + database + files} store objects are valid: ${journal} known from the journal, ${database} from the old database, ${files} by what they hold`;
  if (report.unknown > 0) yield `${report.unknown} entries of the store are unknown; build what they were again`;
  if (report.kept !== undefined) yield `the old database is in ${report.kept}`;
  if (report.lost.length > 0) yield `${report.lost.length} store objects are no longer valid:`;
}

import { CodedError } from "../../../../core/base/index.ts";
import { LogLines, readBuildLog } from "../../../../core/host/build-log/index.ts";
import type { CliContext } from "../../context.ts";
import { type Resolved, resolveInstallables } from "../../resolve.ts";
import { openStore } from "../../store.ts";
import { writeChunk } from "../../streams.ts";
import type { LogFlags } from "./index.ts";

/** Print the logs of the last builds of what is named. */
export default async function log(this: CliContext, flags: LogFlags, ...texts: string[]): Promise<void> {
  using store = openStore(flags);
  const resolved = await resolveInstallables(texts, { context: this, store, flags, needValid: false });
  for (const each of resolved) {
    for (const drvPath of derivationsOf(each, store)) {
      const text = await readBuildLog(store, drvPath);
      if (text === undefined) {
        throw new CodedError("log.missing", `Cannot show the log of "${drvPath}": it was not built here`, {
          hint: "`floe build --rebuild` builds it again and keeps the log.",
        });
      }
      if (flags.raw) await writeChunk(this, text);
      else printLog(this, text);
    }
  }
}

/** The log for people: phases as headings, without control characters. */
function printLog(context: CliContext, text: Buffer): void {
  const lines = new LogLines((item) => context.print(item.kind === "phase" ? `==> ${item.phase}` : item.text));
  lines.write(text);
  lines.end();
}

function derivationsOf({ targets, paths }: Resolved, store: ReturnType<typeof openStore>): readonly string[] {
  const derivers = paths.flatMap((path) => {
    const deriver = store.queryPathInfo(path)?.deriver;
    return deriver === undefined ? store.queryValidDerivers(path) : [deriver];
  });
  return [...targets.map(({ drvPath }) => drvPath), ...derivers];
}

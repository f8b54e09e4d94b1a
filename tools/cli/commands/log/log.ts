import { CodedError } from "../../../../core/base/index.ts";
import { LogLines, readBuildLog } from "../../../../core/host/build-log/index.ts";
import type { Substituters } from "../../../../core/host/substitute/index.ts";
import type { StorePath } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { followTarget } from "../../follow-target.ts";
import { type Resolved, resolveInstallables } from "../../resolve.ts";
import { openStore } from "../../store.ts";
import { openSubstituteStores } from "../../substitute.ts";
import { writeChunk } from "../../streams.ts";
import type { LogFlags } from "./index.ts";

/** Print the logs of the last builds of what is named. */
export default async function log(this: CliContext, flags: LogFlags, ...texts: string[]): Promise<void> {
  using store = openStore(flags);
  const resolved = await resolveInstallables(texts, { context: this, store, flags, needValid: false });
  let others: Substituters | undefined;
  try {
    for (const drvPath of resolved.flatMap((each) => derivationsOf(each, store))) {
      let text = await readBuildLog(store, drvPath);
      if (text === undefined) {
        others ??= await openSubstituteStores(this, flags, (message) => this.say(`warning: ${message}`));
        text = toBuffer(await others?.readLog(drvPath));
      }
      if (text === undefined) {
        throw new CodedError("log.missing", `Cannot show the log of "${drvPath}": it was not built here`, {
          hint: "`floe build --rebuild` builds it again and keeps the log.",
        });
      }
      if (flags.raw) await writeChunk(this, text);
      else printLog(this, text);
    }
  } finally {
    await others?.close();
  }
}

function toBuffer(bytes: Uint8Array | undefined): Buffer | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The log for people: phases as headings, without control characters. */
function printLog(context: CliContext, text: Buffer): void {
  const lines = new LogLines((item) => context.print(item.kind === "phase" ? `==> ${item.phase}` : item.text));
  lines.write(text);
  lines.end();
}

function derivationsOf({ targets, paths }: Resolved, store: ReturnType<typeof openStore>): StorePath[] {
  const derivers = paths.flatMap((path) => {
    const deriver = store.queryPathInfo(path)?.deriver;
    return deriver === undefined ? store.queryValidDerivers(path) : [deriver];
  });
  return [...targets.map((target) => followTarget(target, store).drvPath), ...derivers];
}

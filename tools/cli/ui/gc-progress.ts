import type { GcEvent } from "../../../core/host/collector/index.ts";
import type { CliContext } from "../context.ts";
import { formatBytes } from "../text.ts";

/** A line on the terminal that says how far a collection is; nothing where there is no terminal but that it waits. */
export interface GcProgress extends Disposable {
  readonly show: (event: GcEvent) => void;
  clear(): void;
}

export function showGcProgress(context: CliContext): GcProgress {
  const { interactive } = context.terminal;
  const clear = (): void => void (interactive && context.process.stderr.write("\r\x1b[K"));
  const draw = (text: string): void => void (interactive && context.process.stderr.write(`\r\x1b[K${text} …`));
  return {
    show(event) {
      if (event.kind === "waiting") context.say("waiting for another collection, or a verification, to end");
      else if (event.kind === "planned") draw(`${event.dead} of ${event.live + event.dead} store objects are dead`);
      else if (event.kind === "links") draw("deleting links that nobody uses");
      else draw(`${event.count} of ${event.total} deleted, ${formatBytes(event.freedBytes)} freed`);
    },
    clear,
    [Symbol.dispose]: clear,
  };
}

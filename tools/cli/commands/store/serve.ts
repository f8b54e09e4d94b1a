import type { CodedError } from "../../../../core/base/index.ts";
import type { LocalStore } from "../../../../core/host/local-store/index.ts";
import { readBytes, writeBytes } from "../../../../core/host/process/index.ts";
import { runServeConnection } from "../../../../core/host/store-server/index.ts";
import type { CliContext } from "../../context.ts";
import { serveLocally } from "../../serve-locally.ts";
import { openStore } from "../../store.ts";
import type { ServeFlags } from "./index.ts";

/** `floe store serve`: answer one client of the serve protocol on standard input and output. */
export default async function serve(this: CliContext, flags: ServeFlags): Promise<void> {
  using store = openToServe(flags);
  const services = serveLocally(this, store);
  const input = readBytes(process.stdin);
  try {
    await runServeConnection({
      services,
      input,
      output: writeBytes(process.stdout),
      write: flags.write,
      log: (line) => this.say(line),
      signal: AbortSignal.any([this.signal, input.ended]),
    });
  } finally {
    process.stdin.destroy();
    await services.close();
  }
}

/** Who only reads needs no store that can be written, but roots for what is read where they are possible. */
function openToServe(flags: ServeFlags): LocalStore {
  try {
    return openStore(flags);
  } catch (error) {
    if (flags.write || (error as CodedError).code !== "store.not-writable") throw error;
    return openStore(flags, { readOnly: true });
  }
}

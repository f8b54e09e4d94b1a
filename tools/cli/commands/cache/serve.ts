import { once } from "node:events";
import { resolve } from "node:path";
import { serveCache } from "../../../../core/host/cache-server/index.ts";
import { readSecretKey } from "../../../../core/host/signing/index.ts";
import { formatKey, publicKeyOf } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { plainText } from "../../text.ts";
import type { ServeFlags } from "./index.ts";

/** `floe cache serve`: until a signal ends it, which is no failure. */
export default async function serve(this: CliContext, flags: ServeFlags): Promise<void> {
  const { port, listen, compression, priority, verbose } = flags;
  const secretKey = flags.keyFile === undefined ? undefined : readSecretKey(resolve(this.cwd, flags.keyFile));
  using store = openStore(flags, { readOnly: true });
  const server = await serveCache({
    store,
    port,
    listen,
    compression,
    priority,
    secretKey,
    answered: verbose ? (method, path, status) => this.say(`${status} ${method} ${plainText(path)}`) : undefined,
  });
  this.print(server.url);
  if (secretKey !== undefined) this.say(`signed as ${formatKey(publicKeyOf(secretKey))}`);
  if (!this.signal.aborted) await once(this.signal, "abort");
  await server.close();
}

import { resolve } from "node:path";
import { CodedError } from "../../../../core/base/index.ts";
import { BinaryCacheStore } from "../../../../core/host/binary-cache/index.ts";
import { openStoreUrl } from "../../../../core/host/stores/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { pathsOf, transfer } from "../store/transfer.ts";
import type { PushFlags } from "./index.ts";

/** `floe cache push`: copy to a cache, signed. */
export default async function push(this: CliContext, flags: PushFlags, url: string, ...texts: string[]): Promise<void> {
  using local = openStore(flags);
  using cache = await openStoreUrl(url, {
    cwd: this.cwd,
    signal: this.signal,
    create: true,
    parameters: {
      "secret-key": flags.keyFile === undefined ? undefined : resolve(this.cwd, flags.keyFile),
      compression: flags.compression,
      "compression-level": flags.compressionLevel?.toString(),
      "write-nar-listing": flags.listings ? "true" : undefined,
    },
  });
  if (!(cache instanceof BinaryCacheStore)) {
    throw new CodedError("cache.not-a-cache", `Cannot push to "${url}": it is a store and no binary cache`, {
      hint: "`floe copy --to` copies to any store.",
    });
  }
  const wanted = await pathsOf(texts, { context: this, store: local, flags, build: true });
  await transfer(this, { from: local, to: cache, ...wanted, trusted: "all", flags });
}

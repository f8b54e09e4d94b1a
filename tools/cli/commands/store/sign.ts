import { resolve } from "node:path";
import { ed25519, readSecretKey } from "../../../../core/host/signing/index.ts";
import { type PathInfo, signPathInfo } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { SignFlags } from "./exchange.ts";
import { getPathInfo } from "./valid-path.ts";

/** Sign store objects; the signatures are kept with what the store knows about them. */
export default function sign(this: CliContext, flags: SignFlags, ...texts: string[]): void {
  const key = readSecretKey(resolve(this.cwd, flags.keyFile));
  using store = openStore(flags);
  const named = texts.map((text) => getPathInfo(store, text).path);
  const paths = flags.recursive ? store.closure(named) : named;
  const signatures = paths.map((path) => {
    const info = store.queryPathInfo(path) as PathInfo;
    return [path, [signPathInfo(info, key, ed25519)]] as const;
  });
  const count = store.addSignatures(new Map(signatures));
  this.say(`${count} of ${new Set(paths).size} store objects signed as ${key.name}`);
}

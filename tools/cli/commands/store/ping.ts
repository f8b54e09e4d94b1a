import { showUrl } from "../../../../core/fetch/index.ts";
import type { AnyStore } from "../../../../core/host/stores/index.ts";
import { storePathFromBaseName } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { isStoreAddress, type JsonFlags, type StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";
import { VERSION } from "../../version.ts";

interface Facts {
  readonly url: string;
  /** What answers; a cache does not say. */
  readonly version?: string | undefined;
  /** Whether it takes our word; some do not say. */
  readonly trusted?: boolean | undefined;
}

/** `floe store ping`. Who may write to a store of this machine is trusted by it. */
export default async function ping(this: CliContext, flags: StoreFlags & JsonFlags): Promise<void> {
  const facts = await askWhoAnswers(this, flags);
  if (flags.json) return this.printJson(facts);
  this.print(`Store URL: ${facts.url}`);
  if (facts.version !== undefined) this.print(`Version: ${facts.version}`);
  if (facts.trusted !== undefined) this.print(`Trusted: ${facts.trusted ? 1 : 0}`);
}

async function askWhoAnswers({ cwd, signal }: CliContext, flags: StoreFlags): Promise<Facts> {
  if (flags.store === undefined || !isStoreAddress(flags.store)) {
    using store = openStore(flags, { readOnly: true });
    return {
      url: store.layout.address === "/" ? "local" : store.layout.address,
      version: VERSION,
      trusted: store.isWritable(),
    };
  }
  const { openStoreUrl } = await import("../../../../core/host/stores/index.ts");
  using store: AnyStore & { ping?(): Promise<Said> } = await openStoreUrl(flags.store, { cwd, signal });
  const url = showUrl(flags.store);
  const said = await store.ping?.();
  if (said !== undefined) return { url, version: said.serverName, trusted: said.isTrusted };
  // Whoever answers a question is there.
  await store.isValid(storePathFromBaseName(`${"0".repeat(32)}-ping`, store.storeDirectory));
  return { url };
}

/** What a daemon says of itself. */
interface Said {
  readonly serverName: string;
  readonly isTrusted: boolean | undefined;
}

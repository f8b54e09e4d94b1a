import { CodedError } from "../../../../core/base/index.ts";
import { showUrl } from "../../../../core/fetch/index.ts";
import { type AnyStore, findRealisation, openStoreUrl } from "../../../../core/host/stores/index.ts";
import { isNearStore, readSubstitutionSettings } from "../../../../core/host/substitute/index.ts";
import { parsePublicKey, type PublicKey } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { CopyFlags } from "./exchange.ts";
import { pathsOf, transfer } from "./transfer.ts";

/** `floe copy`: store objects from one store to another. */
export default async function copy(this: CliContext, flags: CopyFlags, ...texts: string[]): Promise<void> {
  if (flags.to === undefined && flags.from === undefined) {
    throw new CodedError("copy.nowhere", "Cannot copy: found neither --to nor --from, expected one of them or both", {
      hint: "For instance `floe copy --to file:///srv/cache .#hello`.",
    });
  }
  if (flags.offline) for (const url of [flags.from, flags.to]) checkNear(url);
  using local = openStore(flags);
  const { cwd, signal } = this;
  using from = flags.from === undefined ? undefined : await openStoreUrl(flags.from, { cwd, signal });
  using to = flags.to === undefined ? undefined : await openStoreUrl(flags.to, { cwd, signal, create: true });
  const trusted = trustedKeys(flags);
  const wanted = await pathsOf(texts, {
    context: this,
    store: local,
    flags,
    build: from === undefined,
    findRealisation: from === undefined ? undefined : (id) => findRealisation(from, id, trusted),
  });
  const own: AnyStore = local;
  await transfer(this, { from: from ?? own, to: to ?? own, ...wanted, trusted, flags });
}

function checkNear(url: string | undefined): void {
  if (url === undefined || isNearStore(url)) return;
  throw new CodedError(
    "copy.offline",
    `Cannot reach "${showUrl(url)}": nobody on the network may be asked (--offline)`,
  );
}

/** Keys of the settings and of the command line. */
function trustedKeys(flags: CopyFlags): readonly PublicKey[] | "all" {
  if (!flags.checkSigs) return "all";
  const { trustedKeys: settled, requireSignatures } = readSubstitutionSettings();
  if (requireSignatures === false) return "all";
  return [...settled, ...(flags.trustedKey ?? []).map(parsePublicKey)];
}

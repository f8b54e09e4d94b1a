import { basename, resolve } from "node:path";
import { type AddTreeOptions, treeAddress } from "../../../../core/host/local-store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import type { AddFlags } from "./index.ts";
import { getPathInfo } from "./valid-path.ts";

/** Copy a file tree into the store and print where it is. */
export default async function add(this: CliContext, flags: AddFlags, path: string): Promise<void> {
  using store = openStore(flags, { readOnly: flags.dryRun });
  const from = resolve(this.cwd, path);
  const mode = flags.flat ? "flat" : flags.mode;
  const options: AddTreeOptions = {
    name: flags.name ?? basename(from),
    from,
    method: mode === "nar" ? "recursive" : mode,
    algorithm: flags.hashAlgo,
    references: (flags.reference ?? []).map((text) => getPathInfo(store, text).path),
  };
  this.print(await (flags.dryRun ? treeAddress(options) : store.addTree(options)));
}

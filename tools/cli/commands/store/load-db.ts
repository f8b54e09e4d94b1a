import { lstatSync } from "node:fs";
import { CodedError } from "../../../../core/base/index.ts";
import { type PathInfo, parseRegistrations } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import type { StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";
import { readText } from "../../streams.ts";

/** `floe store load-db`. What is valid already stays as it is. */
export default async function loadDb(this: CliContext, flags: StoreFlags): Promise<void> {
  using store = openStore(flags);
  const text = await readText(this, "-");
  const infos: PathInfo[] = [];
  for (const { nar, ...registration } of parseRegistrations(text.split("\n"))) {
    if (nar === undefined || store.isValid(registration.path)) continue;
    if (lstatSync(store.realPath(registration.path), { throwIfNoEntry: false }) === undefined) {
      throw new CodedError(
        "store.no-files",
        `Cannot register "${registration.path}": nothing lies there in the store directory`,
      );
    }
    infos.push({ ...registration, narHash: nar.hash, narSize: nar.size, signatures: [] });
  }
  store.addTempRoots(infos.map(({ path }) => path));
  await store.registerOutputsLater(infos);
  await store.flushLater();
  this.say(`${infos.length} store objects registered`);
}

import { WireReader } from "../../../../core/store/wire/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { openInput } from "../../streams.ts";
import type { ImportFlags } from "./stream-routes.ts";

/** `floe store import`. */
export default async function importObjects(this: CliContext, flags: ImportFlags): Promise<void> {
  using store = openStore(flags);
  const paths = await store.importStream(new WireReader(openInput(this, "-")));
  if (flags.json) this.printJson(paths);
  else if (paths.length > 0) this.print(paths.join("\n"));
}

import { exportPaths } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import { openStore } from "../../store.ts";
import { writeOutput } from "../../streams.ts";
import type { ExportFlags } from "./stream-routes.ts";
import { getPathInfo } from "./valid-path.ts";

/** `floe store export`. */
export default async function exportObjects(this: CliContext, flags: ExportFlags, ...texts: string[]): Promise<void> {
  using store = openStore(flags, { readOnly: true });
  const paths = texts.map((text) => getPathInfo(store, text).path);
  await writeOutput(this, exportPaths(store, flags.recursive ? store.closure(paths) : paths));
}

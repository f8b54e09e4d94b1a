import { formatRegistration } from "../../../../core/store/index.ts";
import { sortedText } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import type { StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";
import { writeOutput } from "../../streams.ts";
import { getPathInfo } from "./valid-path.ts";

/** `floe store dump-db`. */
export default async function dumpDb(this: CliContext, flags: StoreFlags, ...texts: string[]): Promise<void> {
  using store = openStore(flags, { readOnly: true });
  const paths =
    texts.length === 0 ? store.allPaths() : sortedText(new Set(texts.map((text) => getPathInfo(store, text).path)));
  await writeOutput(
    this,
    (function* () {
      for (const path of paths) {
        const { narHash: hash, narSize: size, ...info } = getPathInfo(store, path);
        yield Buffer.from(formatRegistration({ ...info, nar: { hash, size } }));
      }
    })(),
  );
}

import { formatHash } from "../../base/index.ts";
import { showUrl } from "../../fetch/index.ts";
import type { StorePath } from "../../store/index.ts";
import type { FetchContext } from "./fetch-source.ts";

/**
 * Take a locked source from another store that has it. Its path says what its content has to be, and the content is hashed while
 * it comes: nobody has to be believed.
 *
 * @returns Whether the source is valid now. A store that fails or lies costs a line, and the source is fetched from where it was.
 */
export async function takeFromStores(path: StorePath, narHash: string, context: FetchContext): Promise<boolean> {
  const { store, signal, onNotice } = context;
  const others = await context.substituters?.();
  if (others === undefined || others.isEmpty) return false;
  const tried = new Set<string>();
  for (;;) {
    signal?.throwIfAborted();
    const offer = await others.find(path, tried);
    if (offer === undefined) return false;
    tried.add(offer.from);
    const { info } = offer;
    if (formatHash(info.narHash, "sri") !== narHash || info.references.length > 0) continue;
    try {
      onNotice?.(`Taking ${path} from ${showUrl(offer.from)}`);
      await store.importNar(info, others.readNar(offer));
      return true;
    } catch (error) {
      signal?.throwIfAborted();
      onNotice?.(`${showUrl(offer.from)}: ${(error as Error).message}`);
      await others.disappointed(offer);
    }
  }
}

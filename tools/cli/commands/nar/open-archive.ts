import { walkNar } from "../../../../core/host/files/index.ts";
import { STORE_DIRECTORY } from "../../../../core/store/index.ts";
import type { CliContext } from "../../context.ts";
import type { StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";
import { openInput } from "../../streams.ts";

/** The bytes of an archive in a file or on stdin, or the archive of a valid store object or of something inside it. Pieces are valid until the next. */
export async function* openArchive(context: CliContext, flags: StoreFlags, text: string): AsyncGenerator<Uint8Array> {
  if (!text.startsWith(`${STORE_DIRECTORY}/`)) {
    yield* openInput(context, text);
    return;
  }
  const { getPathInfo } = await import("../store/valid-path.ts");
  using store = openStore(flags, { readOnly: true });
  getPathInfo(store, text);
  yield* walkNar(store.realPath(text));
}

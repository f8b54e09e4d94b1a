import { formatRegistration, type PathInfo } from "../../../../core/store/index.ts";
import { sortedText } from "../../../../core/base/index.ts";
import type { CliContext } from "../../context.ts";
import type { StoreFlags } from "../../flags.ts";
import { openStore } from "../../store.ts";
import { writeOutput } from "../../streams.ts";
import { getPathInfo } from "./valid-path.ts";

/** `floe store dump-db`. */
export default async function dumpDb(this: CliContext, flags: StoreFlags, ...texts: string[]): Promise<void> {
  using store = openStore(flags, { readOnly: true });
  const infos =
    texts.length === 0
      ? store.allPathInfos()
      : sortedText(new Set(texts.map((text) => getPathInfo(store, text).path))).map((path) => getPathInfo(store, path));
  await writeOutput(this, pieces(infos));
}

const PIECE_OBJECTS = 500;

function* pieces(infos: readonly PathInfo[]): Generator<Buffer> {
  for (let at = 0; at < infos.length; at += PIECE_OBJECTS) {
    const texts = infos
      .slice(at, at + PIECE_OBJECTS)
      .map(({ narHash: hash, narSize: size, ...info }) => formatRegistration({ ...info, nar: { hash, size } }));
    yield Buffer.from(texts.join(""));
  }
}

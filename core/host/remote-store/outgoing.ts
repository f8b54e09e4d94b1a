import { CodedError, hashBytes, makeHasher, sortedText, utf8 } from "../../base/index.ts";
import {
  checkNar,
  ContentCheck,
  dumpFileNar,
  formatContentAddress,
  makeTextPath,
  NarParser,
  type PathInfo,
  type StorePath,
} from "../../store/index.ts";
import type { Connection } from "./connection.ts";

/**
 * An archive on its way to a server, compared with its description as it goes: a server that fails cannot always say why, and
 * nothing wrong should be sent in the first place. No byte goes out beyond the stated size.
 *
 * @throws {CodedError} `nar.malformed`, `store.nar-mismatch`, `store.content-address-mismatch`
 */
export async function* checkOutgoing(info: PathInfo, nar: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const parser = new NarParser(IGNORE);
  const hasher = makeHasher("sha256");
  const contents = new ContentCheck(info);
  let narSize = 0;
  // Held back by one piece, so that an error comes before the archive is complete at the other end.
  let held: Uint8Array | undefined;
  for await (const piece of contents.watch(nar)) {
    parser.push(piece);
    hasher.update(piece);
    narSize += piece.length;
    if (narSize > info.narSize) break;
    if (held !== undefined) yield held;
    held = piece;
  }
  if (narSize <= info.narSize) parser.finish();
  const narHash = hasher.digest();
  checkNar(info, { narHash, narSize });
  contents.finish(narHash);
  if (held !== undefined) yield held;
}

const IGNORE = { directory() {}, endDirectory() {}, file() {}, data() {}, endFile() {}, symlink() {} };

/** Add a text to a store that takes archives. @throws {CodedError} `store-path.name`, and those of `importNar` */
export async function addTextTo(
  store: { importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> },
  name: string,
  contents: string,
  references: readonly StorePath[],
): Promise<StorePath> {
  const bytes = utf8(contents);
  const nar = dumpFileNar(bytes);
  const path = makeTextPath(name, contents, references);
  const info: PathInfo = {
    path,
    narHash: hashBytes("sha256", nar),
    narSize: nar.length,
    references: sortedText(new Set<string>(references)) as StorePath[],
    signatures: [],
    ca: formatContentAddress({ method: "text", hash: hashBytes("sha256", bytes) }),
  };
  await store.importNar(
    info,
    (async function* () {
      yield nar;
    })(),
  );
  return path;
}

/**
 * What an error in a conversation is to the caller: one of what we wanted to send stays as it is, one of the connection is told
 * with what the other end complains of.
 */
export async function explainFailure(
  where: string,
  cause: unknown,
  connection: Pick<Connection, "complaint">,
): Promise<unknown> {
  if (cause instanceof CodedError && !cause.code.startsWith("wire.")) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  const complaint = await connection.complaint();
  return new CodedError(
    "remote-store.lost",
    `Cannot use the store ${where}: ${complaint === "" ? reason : complaint}`,
    {
      cause,
    },
  );
}

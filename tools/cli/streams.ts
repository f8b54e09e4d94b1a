import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { concatBytes, fromUtf8 } from "../../core/base/index.ts";
import type { CliContext } from "./context.ts";

/** The bytes of a file; `-` is stdin. */
export function openInput(context: CliContext, path: string): AsyncIterable<Uint8Array> {
  return path === "-" ? process.stdin : createReadStream(resolve(context.cwd, path));
}

/** Write pieces to stdout, no faster than its reader takes them. */
export async function writeOutput(
  context: CliContext,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  for await (const chunk of chunks) await writeChunk(context, chunk);
}

export function writeChunk({ process: { stdout } }: CliContext, chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stdout.write(chunk, (error) => (error ? reject(error) : resolve()));
  });
}

/** The whole text of a file; `-` is stdin. */
export async function readText(context: CliContext, path: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of openInput(context, path)) pieces.push(piece);
  return fromUtf8(concatBytes(pieces));
}

import { concatBytes } from "../../base/index.ts";
import { WireReader, type WireOutput, WireWriter } from "../../store/wire/index.ts";
import { openTemporaryStore } from "../local-store/testing.ts";
import { type LocalServices, localServices } from "./local-services.ts";

/** A stream of bytes from one side of a connection to the other, inside one process. */
export class Channel implements WireOutput, AsyncIterable<Uint8Array> {
  readonly #pieces: Uint8Array[] = [];
  #isOver = false;
  #wake: () => void = () => {};
  /** Bytes that were written so far. */
  sizeBytes = 0;

  write(bytes: Uint8Array): void {
    this.#pieces.push(bytes);
    this.sizeBytes += bytes.length;
    this.#wake();
  }

  end(): void {
    this.#isOver = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = this.#pieces.shift();
      if (piece !== undefined) yield piece;
      else if (this.#isOver) return;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** A client that writes and reads byte by byte what it likes, and the server it talks to. */
export interface RawClient {
  readonly writer: WireWriter;
  readonly reader: WireReader;
  /** Fulfilled when the server is done with us; how it ended. */
  readonly ended: Promise<{ readonly error?: unknown }>;
  hangUp(): void;
}

/** @param serve Serves one connection. */
export function connect(serve: (input: AsyncIterable<Uint8Array>, output: WireOutput) => Promise<void>): RawClient {
  const toServer = new Channel();
  const toClient = new Channel();
  const ended = serve(toServer, toClient).then(
    () => ({}),
    (error: unknown) => ({ error }),
  );
  void ended.then(() => toClient.end());
  return {
    writer: new WireWriter(toServer),
    reader: new WireReader(toClient),
    ended,
    hangUp: () => toServer.end(),
  };
}

/** A temporary store with everything a server does for it. */
export function openServedStore(): ReturnType<typeof openTemporaryStore> & { readonly services: LocalServices } {
  const opened = openTemporaryStore();
  return { ...opened, services: localServices(opened.store) };
}

/** What was written, as one. */
export async function written(write: (writer: WireWriter) => void | Promise<void>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const writer = new WireWriter({ write: (bytes) => void parts.push(bytes) });
  await write(writer);
  await writer.flush();
  return concatBytes(parts);
}

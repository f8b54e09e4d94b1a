import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { constants, createZstdCompress, type ZstdCompress, zstdCompressSync } from "node:zlib";
import { logPathOf } from "./path.ts";

/** Logs that stay below this are compressed in one go at the end: most builds need no stream. */
const SMALL_BYTES = 32 * 1024;
/** How long a line may wait before it is on the disk. */
const FLUSH_MS = 2000;

/** A build log in the making: compressed, on disk while the builder still runs. */
export class BuildLogWriter {
  /** The file, with suffix. */
  readonly path: string;
  #held: Buffer[] = [];
  #heldBytes = 0;
  #stream: ZstdCompress | undefined;
  #written: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #sizeBytes = 0;
  #closed: Promise<void> | undefined;

  constructor(logDirectory: string, drvPath: string) {
    this.path = `${logPathOf(logDirectory, drvPath)}.zst`;
  }

  /** Bytes written so far, before compression. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  write(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#stream !== undefined) {
      if (!this.#stream.destroyed) this.#stream.write(chunk);
    } else {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes > SMALL_BYTES) this.#openStream();
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#openStream();
      if (this.#stream?.destroyed === false) this.#stream.flush(constants.ZSTD_e_flush);
    }, FLUSH_MS);
  }

  /** Complete the file. It exists afterwards, also when nothing was written. Once is enough. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#stream === undefined) {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(this.path, zstdCompressSync(Buffer.concat(this.#held)));
      return;
    }
    if (!this.#stream.destroyed) this.#stream.end();
    await this.#written;
  }

  #openStream(): void {
    if (this.#stream !== undefined) return;
    const stream = createZstdCompress();
    this.#written = this.#writeFile(stream);
    // An error is met by close(); until then it must not end the program.
    this.#written.catch(() => {});
    for (const chunk of this.#held) if (!stream.destroyed) stream.write(chunk);
    this.#held = [];
    this.#stream = stream;
  }

  async #writeFile(stream: ZstdCompress): Promise<void> {
    try {
      mkdirSync(dirname(this.path), { recursive: true });
      await pipeline(stream, createWriteStream(this.path));
    } catch (error) {
      // What still comes is let go, not kept in memory.
      stream.destroy();
      throw error;
    }
  }
}

import { createWriteStream, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
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
      this.#stream.write(chunk);
    } else {
      this.#held.push(chunk);
      this.#heldBytes += chunk.length;
      if (this.#heldBytes > SMALL_BYTES) this.#openStream();
    }
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#openStream();
      this.#stream?.flush(constants.ZSTD_e_flush);
    }, FLUSH_MS);
  }

  /** Complete the file. It exists afterwards, also when nothing was written. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#stream === undefined) {
      mkdirSync(dirname(this.path), { recursive: true });
      writeFileSync(this.path, zstdCompressSync(Buffer.concat(this.#held)));
      return;
    }
    this.#stream.end();
    await this.#written;
  }

  #openStream(): void {
    if (this.#stream !== undefined) return;
    mkdirSync(dirname(this.path), { recursive: true });
    const stream = createZstdCompress();
    const file = createWriteStream(this.path);
    this.#written = new Promise((resolve, reject) => {
      file.once("close", resolve);
      file.once("error", reject);
      stream.once("error", reject);
    });
    // An error is met by close(); until then it must not end the program.
    this.#written.catch(() => {});
    stream.pipe(file);
    for (const chunk of this.#held) stream.write(chunk);
    this.#held = [];
    this.#stream = stream;
  }
}

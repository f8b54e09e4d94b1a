import * as fs from "node:fs";
import { utf8 } from "../../base/index.ts";
import type { NarSink } from "../../store/index.ts";
import { makeEntryWriter } from "./entry-writer.ts";
import { hostPath } from "./host-path.ts";
import { findWriterThread, LONGEST_PAYLOAD_BYTES, startWriterThread, type WriterThread } from "./writer-thread.ts";
import { OPERATION } from "./writer-loop.ts";

/** What a process writes by itself before a thread is worth its start. */
const ENTRIES_ALONE = 128;
const FILE_BYTES_ALONE = 1024 * 1024;

interface Task {
  readonly writer: WriterThread;
  readonly job: number;
}

const alone = makeEntryWriter(fs);
let entriesAlone = 0;

/**
 * Writes an archive as files with canonical metadata, where nothing is yet. An entry can never land outside `root`, whatever
 * links the archive holds.
 *
 * Big trees are written by another thread: `await busy()` between pieces keeps its work bounded, and what was written is complete
 * only after {@link finish}.
 */
export class TreeWriter implements NarSink {
  readonly #root: string;
  #thread: Task | undefined;
  #fd: number | undefined;
  /** The file that is being written, when it is small: it goes to the thread whole. */
  #whole: { readonly executable: boolean; readonly pieces: Uint8Array[] } | undefined;
  #place = "";

  constructor(root: string) {
    this.#root = root;
  }

  directory(path: string): void {
    this.#enter(path);
    if (this.#thread === undefined) alone.directory(hostPath(this.#place));
    else this.#tell(OPERATION.directory);
  }

  endDirectory(path: string): void {
    this.#enter(path);
    if (this.#thread === undefined) alone.endDirectory(hostPath(this.#place));
    else this.#tell(OPERATION.endDirectory);
  }

  file(path: string, { executable, size }: { readonly executable: boolean; readonly size: number }): void {
    this.#enter(path, size);
    if (this.#thread === undefined) this.#fd = alone.file(hostPath(this.#place), executable);
    else if (size <= LONGEST_PAYLOAD_BYTES) this.#whole = { executable, pieces: [] };
    else this.#tell(OPERATION.begin, Uint8Array.of(executable ? 1 : 0));
  }

  data(chunk: Uint8Array): void {
    if (this.#fd !== undefined) alone.write(this.#fd, chunk);
    // A copy, which shares its memory with others when it is small.
    else if (this.#whole !== undefined) this.#whole.pieces.push(Buffer.from(chunk));
    else
      for (let at = 0; at < chunk.length; at += LONGEST_PAYLOAD_BYTES)
        this.#tell(OPERATION.data, chunk.subarray(at, at + LONGEST_PAYLOAD_BYTES));
  }

  endFile(): void {
    if (this.#fd !== undefined) {
      alone.endFile(this.#fd);
      this.#close();
    } else if (this.#whole === undefined) {
      this.#tell(OPERATION.end);
    } else {
      this.#tell(this.#whole.executable ? OPERATION.executable : OPERATION.plain, ...this.#whole.pieces);
      this.#whole = undefined;
    }
  }

  symlink(path: string, target: string): void {
    this.#enter(path);
    if (this.#thread === undefined) alone.symlink(hostPath(this.#place), Buffer.from(utf8(target)));
    else this.#tell(OPERATION.symlink, utf8(target));
  }

  /** A promise to wait for before giving more, when writing is behind. */
  busy(): Promise<void> | undefined {
    return this.#thread?.writer.busy();
  }

  /** Wait until all is written. @throws what writing threw, when a thread did it; as it comes otherwise */
  async finish(): Promise<void> {
    await this.#thread?.writer.finish(this.#thread.job);
  }

  /** Give up after a failure. What was written stays; nothing more of it is afterwards. */
  async abandon(): Promise<void> {
    this.#close();
    await this.#thread?.writer.abandon(this.#thread.job);
  }

  #close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** From one entry on a thread may take over; what was written before is complete then. */
  #enter(path: string, sizeBytes = 0): void {
    this.#place = path === "" ? this.#root : `${this.#root}/${path}`;
    if (this.#thread !== undefined) return;
    entriesAlone += 1;
    const big = entriesAlone > ENTRIES_ALONE || sizeBytes > FILE_BYTES_ALONE;
    const writer = big ? startWriterThread() : findWriterThread();
    if (writer !== undefined) this.#thread = { writer, job: writer.begin() };
  }

  #tell(operation: number, ...payload: readonly Uint8Array[]): void {
    const { writer, job } = this.#thread as Task;
    writer.add(job, operation, this.#place, ...payload);
  }
}

import * as fs from "node:fs";
import { utf8 } from "../../base/index.ts";
import { makeEntryWriter } from "./entry-writer.ts";
import { hostPath } from "./host-path.ts";
import type { ReadingSink } from "./walk.ts";
import { findWriterThread, LONGEST_PAYLOAD_BYTES, startWriterThread, type WriterThread } from "./writer-thread.ts";
import { OPERATION } from "./writer-loop.ts";

/** What a process writes by itself before a thread is worth its start. */
const ENTRIES_ALONE = 128;
const FILE_BYTES_ALONE = 1024 * 1024;

interface Task {
  readonly writer: WriterThread;
  readonly job: number;
}

/** A file of which the thread is told once, with all its contents. */
interface WholeFile {
  readonly executable: boolean;
  readonly size: number;
  readonly pieces: Uint8Array[];
  told: boolean;
}

const alone = makeEntryWriter(fs);
let entriesAlone = 0;

/**
 * Writes an archive as files with canonical metadata, where nothing is yet. An entry can never land outside `root`, whatever
 * links the archive holds.
 *
 * Big trees are written by another thread as well: `await busy()` between pieces keeps its work bounded, and what was written is
 * complete only after {@link finish}. Directories are made here at once; they are closed in the order of the thread, when everything
 * in them is there.
 */
export class TreeWriter implements ReadingSink {
  readonly #root: string;
  #thread: Task | undefined;
  #fd: number | undefined;
  /** The file that is being written, when it is small and the thread may do it: it goes there whole. */
  #whole: WholeFile | undefined;
  /** Whether a piece of the file stands in the memory of the thread by now. */
  #lent = false;
  #place = "";

  constructor(root: string) {
    this.#root = root;
  }

  directory(path: string): void {
    this.#enter(path);
    if (this.#thread === undefined) alone.directory(hostPath(this.#place));
    else this.#makeDirectory(this.#thread);
  }

  endDirectory(path: string): void {
    this.#enter(path);
    if (this.#thread === undefined) alone.endDirectory(hostPath(this.#place));
    else this.#tell(OPERATION.endDirectory);
  }

  file(path: string, { executable, size }: { readonly executable: boolean; readonly size: number }): void {
    this.#enter(path, size);
    if (this.#thread === undefined) this.#fd = alone.file(hostPath(this.#place), executable);
    else if (size > LONGEST_PAYLOAD_BYTES) this.#tell(OPERATION.begin, Uint8Array.of(executable ? 1 : 0));
    // Whoever is free does it: the thread has enough to do for now.
    else if (isBehind(this.#thread)) this.#fd = alone.file(hostPath(this.#place), executable);
    else this.#whole = { executable, size, pieces: [], told: false };
  }

  data(chunk: Uint8Array): void {
    if (this.#lent) {
      const { writer, job } = this.#thread as Task;
      writer.addRoom(job, chunk.length);
      this.#lent = false;
    } else if (this.#fd !== undefined) {
      alone.write(this.#fd, chunk);
    } else if (this.#whole === undefined) {
      for (let at = 0; at < chunk.length; at += LONGEST_PAYLOAD_BYTES)
        this.#add(OPERATION.data, "", chunk.subarray(at, at + LONGEST_PAYLOAD_BYTES));
    } else if (chunk.length === this.#whole.size) {
      this.#tellWhole(this.#whole, [chunk]);
    } else {
      // A copy, which shares its memory with others when it is small.
      this.#whole.pieces.push(Buffer.from(chunk));
    }
  }

  /**
   * Where the next contents may be read to, so that they need not be copied: {@link data} is to be told of the first bytes of it
   * before anything else. `undefined` where that saves nothing.
   */
  room(longestBytes: number): Uint8Array | undefined {
    if (this.#thread === undefined || this.#fd !== undefined || this.#whole !== undefined) return undefined;
    this.#lent = true;
    return this.#thread.writer.room(longestBytes);
  }

  endFile(): void {
    if (this.#fd !== undefined) {
      alone.endFile(this.#fd);
      this.#close();
    } else if (this.#whole !== undefined) {
      if (!this.#whole.told) this.#tellWhole(this.#whole, this.#whole.pieces);
      this.#whole = undefined;
    } else {
      this.#add(OPERATION.end, "");
    }
  }

  symlink(path: string, target: string): void {
    this.#enter(path);
    if (this.#thread === undefined || isBehind(this.#thread))
      alone.symlink(hostPath(this.#place), Buffer.from(utf8(target)));
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
    this.#lent = false;
    await this.#thread?.writer.abandon(this.#thread.job);
  }

  /** A failure is one of the thread's: what reads the archive may know more of what is wrong with it. */
  #makeDirectory({ writer, job }: Task): void {
    if (writer.hasFailed(job)) return;
    try {
      alone.directory(hostPath(this.#place));
    } catch (error) {
      writer.fail(job, error as Error);
    }
  }

  #close(): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }

  #tellWhole(whole: WholeFile, pieces: readonly Uint8Array[]): void {
    this.#tell(whole.executable ? OPERATION.executable : OPERATION.plain, ...pieces);
    whole.told = true;
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
    this.#add(operation, this.#place, ...payload);
  }

  #add(operation: number, place: string, ...payload: readonly Uint8Array[]): void {
    const { writer, job } = this.#thread as Task;
    writer.add(job, operation, place, ...payload);
  }
}

function isBehind({ writer, job }: Task): boolean {
  return writer.isBehind(job);
}

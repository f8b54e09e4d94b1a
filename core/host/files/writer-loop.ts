import type { EntryWriter, makeEntryWriter } from "./entry-writer.ts";

/**
 * What a record asks for.
 *
 * Shape of a record: `u8` operation, `u32` job, `u32` length and bytes of the place, `u32` length and bytes of the payload; all
 * little-endian. The payload is a link's target or contents; what a file is begun with says in one byte whether it is executable.
 * Directories are not made here: what is inside may be written by either side.
 */
export const OPERATION = {
  endDirectory: 1,
  symlink: 2,
  plain: 3,
  executable: 4,
  begin: 5,
  data: 6,
  end: 7,
} as const;

/** Bytes of a record besides place and payload. */
export const RECORD_BYTES = 13;

/** To the thread: do the records of a buffer; say when all of it is done; give up what is open of a job. */
export type WriterRequest =
  | { readonly kind: "records"; readonly buffer: SharedArrayBuffer; readonly usedBytes: number }
  | { readonly kind: "flush"; readonly id: number }
  | { readonly kind: "abandon"; readonly job: number };

/** From the thread. `done`: a buffer, as its shared count says already. */
export type WriterAnswer =
  | { readonly kind: "done" }
  | { readonly kind: "flushed"; readonly id: number }
  | { readonly kind: "failed"; readonly job: number; readonly message: string; readonly facts: object };

/**
 * The life of a writing thread. A job that failed once is passed over from then on.
 *
 * Big files are sent to the disk while they are still being written, so that little is left to wait for at their end. The function
 * reaches its thread as text, so it uses nothing but its arguments.
 */
export function runWriterLoop(makeWriter: typeof makeEntryWriter, operation: typeof OPERATION): void {
  const fs = process.getBuiltinModule("node:fs");
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const done = new Int32Array(workerData as SharedArrayBuffer);
  const syncEveryBytes = 32 * 1024 * 1024;
  const writer: EntryWriter = makeWriter(fs);
  const open = new Map<number, { fd: number; unsynced: number; syncing: boolean; ended: boolean }>();
  const failed = new Set<number>();
  const waiting: number[] = [];
  let syncs = 0;
  const answer = (message: WriterAnswer): void => parentPort?.postMessage(message);
  const answerFlushes = (): void => {
    if (syncs === 0) for (const id of waiting.splice(0)) answer({ kind: "flushed", id });
  };
  const fail = (job: number, error: NodeJS.ErrnoException): void => {
    if (failed.has(job)) return;
    failed.add(job);
    const { code, errno, syscall, path } = error;
    answer({ kind: "failed", job, message: error.message, facts: { code, errno, syscall, path } });
    abandon(job);
  };
  const abandon = (job: number): void => {
    const file = open.get(job);
    open.delete(job);
    if (file === undefined) return;
    file.ended = true;
    if (!file.syncing) fs.closeSync(file.fd);
  };
  const sync = (job: number): void => {
    const file = open.get(job);
    if (file === undefined || file.syncing) return;
    file.syncing = true;
    file.unsynced = 0;
    syncs++;
    fs.fdatasync(file.fd, (error) => {
      syncs--;
      file.syncing = false;
      if (error !== null) fail(job, error);
      if (file.ended) fs.closeSync(file.fd);
      answerFlushes();
    });
  };
  const perform = (what: number, job: number, place: Buffer, payload: Buffer): void => {
    if (what === operation.plain || what === operation.executable) {
      const fd = writer.file(place, what === operation.executable);
      try {
        writer.write(fd, payload);
        writer.endFile(fd);
      } finally {
        fs.closeSync(fd);
      }
    } else if (what === operation.endDirectory) writer.endDirectory(place);
    else if (what === operation.symlink) writer.symlink(place, payload);
    else if (what === operation.begin) {
      open.set(job, { fd: writer.file(place, payload[0] === 1), unsynced: 0, syncing: false, ended: false });
    } else {
      const file = open.get(job);
      if (file === undefined) return;
      if (what === operation.data) {
        writer.write(file.fd, payload);
        file.unsynced += payload.length;
        if (file.unsynced >= syncEveryBytes) sync(job);
      } else {
        writer.endFile(file.fd);
        sync(job);
        abandon(job);
      }
    }
  };
  parentPort?.on("message", (request: WriterRequest) => {
    if (request.kind === "flush") {
      waiting.push(request.id);
      answerFlushes();
    } else if (request.kind === "abandon") {
      failed.add(request.job);
      abandon(request.job);
    } else {
      const buffer = Buffer.from(request.buffer);
      for (let at = 0; at < request.usedBytes; ) {
        const job = buffer.readUInt32LE(at + 1);
        const placeStart = at + 9;
        const placeEnd = placeStart + buffer.readUInt32LE(at + 5);
        const end = placeEnd + 4 + buffer.readUInt32LE(placeEnd);
        try {
          if (!failed.has(job))
            perform(
              buffer[at] as number,
              job,
              buffer.subarray(placeStart, placeEnd),
              buffer.subarray(placeEnd + 4, end),
            );
        } catch (error) {
          fail(job, error as NodeJS.ErrnoException);
        }
        at = end;
      }
      Atomics.add(done, 0, 1);
      answer({ kind: "done" });
    }
  });
}

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fromUtf8 } from "../../base/index.ts";
import {
  formatJournalRecord,
  JOURNAL_MARK_BYTES,
  JOURNAL_VERSION,
  type JournalMark,
  JournalReader,
  type JournalRecord,
  parseJournalLine,
} from "../../store/index.ts";
import { syncPath, temporaryName } from "../files/index.ts";

/** Its name beside `db.sqlite`. */
export const JOURNAL_NAME = "floe-journal";

const PIECE_BYTES = 1024 * 1024;

/** What a mark says besides the size, which the journal knows. */
export type MarkedIds = Pick<JournalMark, "coveredId" | "pendingId" | "pendingDigest">;

/** The end of a journal that can be appended to. */
export interface JournalTail {
  readonly mark: JournalMark;
  readonly sizeBytes: number;
}

/**
 * The file that repeats the facts of the database. It is opened for each batch, since another process may have put a compacted
 * one in its place.
 */
export class StoreJournal {
  readonly path: string;

  /** @param directory That of the database. */
  constructor(directory: string) {
    this.path = join(directory, JOURNAL_NAME);
  }

  /**
   * The last mark; `undefined` when there is no journal or none with a mark. With `repair` (the default) what an interrupted write
   * left after the last whole line is cut off, so only a writer who keeps others away may ask; without it such a journal has no
   * end to append to.
   *
   * @throws {CodedError} `journal.unsupported`
   */
  readTail({ repair = true }: { readonly repair?: boolean } = {}): JournalTail | undefined {
    const fd = this.#open(constants.O_RDWR);
    if (fd === undefined) return undefined;
    try {
      const { size } = fstatSync(fd);
      const mark = lastMark(fd, size);
      if (mark !== undefined) return { mark, sizeBytes: size };
      return repair ? repairTail(fd) : undefined;
    } finally {
      closeSync(fd);
    }
  }

  /** Add records and the mark that ends them, in one write. */
  append(records: readonly JournalRecord[], ids: MarkedIds, compactBytes: number): void {
    const mark: JournalRecord = { kind: "mark", ...ids, compactBytes };
    const fd = openSync(this.path, constants.O_WRONLY | constants.O_APPEND);
    try {
      writeAll(fd, [...records, mark].map(formatJournalRecord).join(""));
    } finally {
      closeSync(fd);
    }
  }

  /** Put a new journal in the place of the old one, in one step; it is on disk afterwards. */
  replace(records: Iterable<JournalRecord>, ids: MarkedIds): void {
    const temporary = temporaryName(this.path);
    try {
      const fd = openSync(temporary, "wx", 0o644);
      try {
        let size = 0;
        let text = formatJournalRecord({ kind: "header", version: JOURNAL_VERSION });
        for (const record of records) {
          text += formatJournalRecord(record);
          if (text.length < PIECE_BYTES) continue;
          size += writeAll(fd, text);
          text = "";
        }
        size += text.length + JOURNAL_MARK_BYTES;
        writeAll(fd, text + formatJournalRecord({ kind: "mark", ...ids, compactBytes: size }));
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, this.path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    syncPath(join(this.path, ".."));
  }

  /** All records in turn, with what could not be read counted by `reader`. Nothing when there is no journal. */
  *read(reader: JournalReader): Generator<JournalRecord, void> {
    const fd = this.#open(constants.O_RDONLY);
    if (fd === undefined) return;
    try {
      yield* readFrom(fd, reader);
    } finally {
      closeSync(fd);
    }
  }

  #open(flags: number): number | undefined {
    try {
      return openSync(this.path, flags);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }
}

function lastMark(fd: number, size: number): JournalMark | undefined {
  const line = Buffer.alloc(JOURNAL_MARK_BYTES);
  if (size < JOURNAL_MARK_BYTES) return undefined;
  readSync(fd, line, 0, JOURNAL_MARK_BYTES, size - JOURNAL_MARK_BYTES);
  if (line.at(-1) !== 0x0a) return undefined;
  try {
    const record = parseJournalLine(fromUtf8(line.subarray(0, -1)));
    return record.kind === "mark" ? record : undefined;
  } catch {
    // Not the end of a batch: what it is says the reading of the whole.
    return undefined;
  }
}

function repairTail(fd: number): JournalTail | undefined {
  const reader = new JournalReader();
  let mark: JournalMark | undefined;
  for (const record of readFrom(fd, reader)) if (record.kind === "mark") mark = record;
  if (mark === undefined) return undefined;
  ftruncateSync(fd, reader.goodBytes);
  return { mark, sizeBytes: reader.goodBytes };
}

function* readFrom(fd: number, reader: JournalReader): Generator<JournalRecord, void> {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; ; ) {
    const read = readSync(fd, piece, 0, PIECE_BYTES, at);
    if (read === 0) return;
    yield* reader.push(piece.subarray(0, read));
    at += read;
  }
}

/** Write a text of ASCII; gives its bytes. */
function writeAll(fd: number, text: string): number {
  const bytes = Buffer.from(text, "latin1");
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
  return bytes.length;
}

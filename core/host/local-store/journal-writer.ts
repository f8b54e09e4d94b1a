import { CodedError } from "../../base/index.ts";
import { type JournalRecord, storePathDigest, type StorePath, tryParseStorePath } from "../../store/index.ts";
import type { StoreDatabase } from "./database.ts";
import { type MarkedIds, StoreJournal } from "./journal.ts";
import { type InfoRow, pathInfoOf } from "./queries.ts";
import { readRealisations } from "./realisations.ts";

/** A journal this much longer than twice its compacted size is compacted. */
const SLACK_BYTES = 1024 * 1024;
const NO_DIGEST = "0".repeat(32);

const LAST_ID = "select seq from sqlite_sequence where name = 'ValidPaths'";
const PATH_OF = "select path from ValidPaths where id = ?";
const ROWS =
  "select id, path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca from ValidPaths where id > ? and id <= ? order by id";
const REFERENCES =
  "select referrer, path from Refs join ValidPaths on reference = id where referrer > ? and referrer <= ? order by referrer, path";

/**
 * Keeps the journal beside the database up to date, inside of the transactions that change it.
 *
 * Registrations are appended before their transaction is committed, removals after: so the journal may name an object that is not
 * valid, but knows each one that is. Rows that others made meanwhile (real Nix, a Floe that was killed) are recognised by their
 * ids, which only grow, and appended as well.
 */
export class JournalWriter {
  readonly #database: StoreDatabase;
  readonly #journal: StoreJournal;
  #records: JournalRecord[] = [];
  #lastIdBefore = 0;

  constructor(database: StoreDatabase, directory: string) {
    this.#database = database;
    this.#journal = new StoreJournal(directory);
  }

  /** A transaction begins. */
  begin(): void {
    this.#records = [];
    this.#lastIdBefore = this.#lastId();
  }

  /** Something to be written down if the transaction succeeds. */
  add(record: JournalRecord): void {
    this.#records.push(record);
  }

  /** The transaction is about to be committed. @throws what writing throws; then it must not be. */
  beforeCommit(): void {
    const made = this.#records.filter(({ kind }) => kind === "valid" || kind === "realisation");
    if (made.length === 0) return;
    const ids = this.#ids();
    const tail = this.#journal.readTail();
    if (tail === undefined && this.#lastIdBefore === 0) return this.#journal.replace(made, ids);
    const covered = tail === undefined ? undefined : this.#coveredBy(tail.mark);
    if (tail === undefined || covered === undefined || tail.sizeBytes > 2 * tail.mark.compactBytes + SLACK_BYTES)
      return this.#journal.replace(this.#all(ids.pendingId), ids);
    const missed = [...this.rows(covered, this.#lastIdBefore)];
    this.#journal.append([...missed, ...made], ids, tail.mark.compactBytes);
  }

  /** It was committed. */
  afterCommit(): void {
    const gone = this.#records.filter(({ kind }) => kind === "invalid");
    if (gone.length === 0) return;
    try {
      const tail = this.#journal.readTail({ repair: false });
      if (tail !== undefined) this.#journal.append(gone, tail.mark, tail.mark.compactBytes);
    } catch {
      // What is no longer valid may stay in the journal: a recovery looks whether the files are there and whole. So a collection
      // goes on when the disk is full.
    }
  }

  /** Facts of the rows with ids above `after` up to `last`. */
  *rows(after: number, last: number): Generator<JournalRecord, void> {
    const references = this.#database.prepare(REFERENCES).iterate(after, last) as Iterator<{
      referrer: number;
      path: StorePath;
    }>;
    let next = references.next();
    for (const row of this.#database.prepare(ROWS).iterate(after, last) as Iterable<unknown>) {
      const { id } = row as InfoRow;
      const paths: StorePath[] = [];
      for (; next.done !== true && next.value.referrer <= id; next = references.next())
        if (next.value.referrer === id) paths.push(next.value.path);
      const record = recordOf(row as InfoRow, paths);
      if (record !== undefined) yield record;
    }
  }

  *#all(last: number): Generator<JournalRecord, void> {
    yield* this.rows(0, last);
    for (const realisation of readRealisations(this.#database)) yield { kind: "realisation", realisation };
  }

  #ids(): MarkedIds {
    const pendingId = this.#lastId();
    const made = pendingId > this.#lastIdBefore ? this.#pathOf(pendingId) : undefined;
    const pendingDigest = made === undefined ? NO_DIGEST : storePathDigest(made);
    return { coveredId: this.#lastIdBefore, pendingId, pendingDigest };
  }

  /** The highest id the journal has for certain; `undefined` when it belongs to a database that had more rows than this one. */
  #coveredBy({ coveredId, pendingId, pendingDigest }: MarkedIds): number | undefined {
    if (coveredId > this.#lastIdBefore) return undefined;
    if (pendingId <= coveredId || pendingId > this.#lastIdBefore) return coveredId;
    const path = this.#pathOf(pendingId);
    return path !== undefined && storePathDigest(path) === pendingDigest ? pendingId : coveredId;
  }

  #lastId(): number {
    return (this.#database.prepare(LAST_ID).get() as { seq: number } | undefined)?.seq ?? 0;
  }

  #pathOf(id: number): StorePath | undefined {
    return (this.#database.prepare(PATH_OF).get(id) as { path: StorePath } | undefined)?.path;
  }
}

/** A row as a record; `undefined` for one that holds no facts that could be read again. */
function recordOf(row: InfoRow, references: readonly StorePath[]): JournalRecord | undefined {
  try {
    const info = pathInfoOf(row.path as StorePath, row, references);
    const { deriver, ...others } = info;
    const known = deriver === undefined || tryParseStorePath(deriver) === undefined ? others : info;
    return { kind: "valid", info: known };
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

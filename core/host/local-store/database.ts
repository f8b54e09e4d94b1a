import { closeSync, constants, existsSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { CodedError } from "../../base/index.ts";
import type { JournalRecord } from "../../store/index.ts";
import { syncPath, syncPathLater, writeFileAtomic } from "../files/index.ts";
import { lockFileSync } from "./file-lock.ts";
import { JOURNAL_NAME } from "./journal.ts";
import { JournalWriter } from "./journal-writer.ts";
import { checkMutable, makeDirectories, type StoreLayout } from "./layout.ts";
import { restoreReserve } from "./reserve.ts";
import { SCHEMA, SCHEMA_VERSION } from "./schema.ts";

/** As Nix: a writer may be busy for long. */
const BUSY_TIMEOUT_MS = 3_600_000;

/** The connection to a store's database. */
export class StoreDatabase {
  readonly #layout: StoreLayout;
  readonly #directory: string;
  readonly #connection: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #journal: JournalWriter;
  /** How many transactions were committed, and how many of these are on disk for certain. */
  #committed = 0;
  #flushed = 0;
  /** Shared for as long as we may write; a schema upgrade takes it exclusively. */
  #bigLock: number | undefined;

  /** @param options `mustExist`: a store that is not there is a mistake, and not an empty one. Default false. */
  constructor(
    layout: StoreLayout,
    { readOnly, mustExist = layout.immutable }: { readonly readOnly: boolean; readonly mustExist?: boolean },
  ) {
    this.#directory = join(layout.stateDirectory, "db");
    this.#journal = new JournalWriter(this, this.#directory);
    const exists = this.#checkSchema();
    this.#layout = layout;
    if (mustExist && !exists) throw noStore(layout);
    if (layout.immutable) {
      this.#connection = openImmutable(this.#file("db.sqlite"));
      return;
    }
    if (readOnly) {
      this.#connection = exists ? openReadOnly(this.#file("db.sqlite")) : emptyDatabase();
      return;
    }
    if (!exists) this.#create(layout);
    this.#connection = openWritable(this.#file("db.sqlite"));
    // A collection has given it back.
    restoreReserve(layout);
  }

  /** A statement, prepared once. */
  prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** All of it or nothing. It is seen by others at once, and on disk after {@link flush}. */
  transaction<T>(run: () => T): T {
    checkMutable(this.#layout);
    this.#holdBigLock();
    this.#connection.exec("begin immediate");
    let result: T;
    try {
      this.#journal.begin();
      result = run();
      this.#journal.beforeCommit();
      this.#connection.exec("commit");
    } catch (error) {
      // After a full disk or a read error SQLite has done so by itself; the error is what matters.
      if (this.#connection.isTransaction) this.#connection.exec("rollback");
      throw error;
    }
    this.#committed += 1;
    this.#journal.afterCommit();
    return result;
  }

  /** Several questions about one and the same moment. */
  reading<T>(run: () => T): T {
    if (this.#connection.isTransaction) return run();
    this.#connection.exec("begin deferred");
    try {
      return run();
    } finally {
      // There is nothing to keep.
      this.#connection.exec("rollback");
    }
  }

  /** A whole table, column by column: one text for each column takes a third of the time of a row for each row. */
  columns(table: string, names: readonly string[]): unknown[][] {
    const lists = names.map((name) => `json_group_array(${name})`);
    const statement = this.#connection.prepare(`select ${lists.join(", ")} from ${table}`);
    statement.setReturnArrays(true);
    return (statement.get() as unknown as string[]).map((text) => JSON.parse(text) as unknown[]);
  }

  /** Inside a transaction: repeat a fact in the journal. Whoever changes `ValidPaths`, `Refs` or signatures says so here. */
  record(record: JournalRecord): void {
    this.#journal.add(record);
  }

  /**
   * Wait until all that was committed is on disk. A commit alone does not (`synchronous = normal`): rows become durable in order,
   * and one wait serves all of them.
   */
  flush(): void {
    const count = this.#committed;
    if (this.#flushed >= count) return;
    for (const file of this.#unsynced()) syncIfThere(file);
    this.#flushed = count;
  }

  /** {@link flush} that leaves the process free meanwhile. */
  async flushLater(): Promise<void> {
    const count = this.#committed;
    if (this.#flushed >= count) return;
    await Promise.all(this.#unsynced().map(syncIfThereLater));
    this.#flushed = Math.max(this.#flushed, count);
  }

  /** What was committed is on disk afterwards. Once is enough. */
  close(): void {
    if (!this.#connection.isOpen) return;
    this.#statements.clear();
    this.#connection.close();
    // The last connection has written everything into the database itself; others leave the log.
    this.flush();
    if (this.#bigLock !== undefined) closeSync(this.#bigLock);
    this.#bigLock = undefined;
  }

  #file(name: string): string {
    return join(this.#directory, name);
  }

  /** What a commit writes to. */
  #unsynced(): string[] {
    return [this.#file("db.sqlite-wal"), this.#file(JOURNAL_NAME)];
  }

  /**
   * Whether there is a database. Where there was one, an empty one must not take its place in silence: all objects would look
   * like leftovers, and the next collection would delete them.
   */
  #checkSchema(): boolean {
    if (!existsSync(this.#file("schema"))) {
      if (existsSync(this.#file(JOURNAL_NAME))) throw this.#lost("schema");
      return false;
    }
    const version = readFileSync(this.#file("schema"), "utf8");
    if (version === SCHEMA_VERSION) {
      if (!existsSync(this.#file("db.sqlite"))) throw this.#lost("db.sqlite");
      return true;
    }
    throw new CodedError(
      "store.schema-unsupported",
      `Cannot open the database in "${this.#directory}": found schema ${JSON.stringify(version)}, expected ${SCHEMA_VERSION}`,
      {
        hint: "Open it once with a Nix of version 2.0 or later, which brings older databases up to date.",
      },
    );
  }

  #lost(name: string): CodedError {
    return new CodedError(
      "store.database-lost",
      `Cannot open the database in "${this.#directory}": "${name}" is gone`,
      {
        hint: "`floe store recover` makes it anew from the journal beside it and from what is in the store.",
      },
    );
  }

  #create(layout: StoreLayout): void {
    makeDirectories(layout);
    const lock = this.#openBigLock();
    try {
      lockFileSync(lock, "exclusive", { wait: true });
      if (this.#checkSchema()) return;
      const connection = openWritable(this.#file("db.sqlite"));
      connection.exec(`pragma journal_mode = wal; begin exclusive; ${SCHEMA} commit`);
      connection.close();
      restoreReserve(layout);
      // Written last: with it the database counts as complete.
      writeFileAtomic(this.#file("schema"), SCHEMA_VERSION, { sync: true });
    } finally {
      closeSync(lock);
    }
  }

  /** Only writers take it, and only when they write: it costs a process. */
  #holdBigLock(): void {
    if (this.#bigLock !== undefined) return;
    this.#bigLock = this.#openBigLock();
    lockFileSync(this.#bigLock, "shared", { wait: true });
  }

  #openBigLock(): number {
    return openSync(this.#file("big-lock"), constants.O_RDWR | constants.O_CREAT, 0o600);
  }
}

function openWritable(file: string): DatabaseSync {
  try {
    const connection = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true });
    // The first look into the file, too: only that notices a file system that may not be written.
    connection.exec("pragma synchronous = normal; pragma wal_autocheckpoint = 40000");
    return connection;
  } catch (cause) {
    if (!isRefusal(cause)) throw cause;
    throw new CodedError(
      "store.not-writable",
      `Cannot open the database "${file}" for writing: ${(cause as Error).message}`,
      {
        hint: "Name a store of your own with --store DIRECTORY.",
        cause,
      },
    );
  }
}

/** SQLITE_CANTOPEN (14) and SQLITE_READONLY (8); damage and failing disks have words of their own. */
function isRefusal(error: unknown): boolean {
  const { errcode = 14 } = error as { errcode?: number };
  return [8, 14].includes(errcode & 0xff);
}

function openReadOnly(file: string): DatabaseSync {
  try {
    const connection = new DatabaseSync(file, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    connection.prepare("select 1 from ValidPaths limit 1").get();
    return connection;
  } catch {
    // Without write permission to the folder SQLite cannot join the write-ahead log; then nobody writes at the moment or
    // we may see a slightly older state, which is good enough for a question.
    return openAsItIs(file);
  }
}

function openAsItIs(file: string): DatabaseSync {
  return new DatabaseSync(Object.assign(pathToFileURL(file), { search: "?immutable=1" }), { readOnly: true });
}

/** @throws {CodedError} `store.log-left` where the file alone would not tell all */
function openImmutable(file: string): DatabaseSync {
  const sizeBytes = statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (sizeBytes === 0) return openAsItIs(file);
  throw new CodedError(
    "store.log-left",
    `Cannot read the database "${file}" as it is: ${sizeBytes} bytes lie beside it in its log "db.sqlite-wal"`,
    {
      hint: "End what uses the store, then let `floe store load-db --store DIR < /dev/null` take the log in where it can be written; after that copy or mount it. A store that is in use is opened without `read-only`.",
    },
  );
}

function noStore({ address, stateDirectory }: StoreLayout): CodedError {
  return new CodedError(
    "store.missing",
    `Cannot open the store "${address}": there is no database in "${stateDirectory}"`,
    {
      hint: "A store that is only read has to be there already; look at `root` and `state`.",
    },
  );
}

/** Without a log all is in the database, on disk. */
function syncIfThere(path: string): void {
  try {
    syncPath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

async function syncIfThereLater(path: string): Promise<void> {
  try {
    await syncPathLater(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** A store that was never written to holds nothing. */
function emptyDatabase(): DatabaseSync {
  const connection = new DatabaseSync(":memory:");
  connection.exec(SCHEMA);
  return connection;
}

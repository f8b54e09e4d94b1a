import { mkdirSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { showUrl } from "../../fetch/index.ts";
import { formatNarInfo, type NarInfo, parseNarInfo, type StorePath, storePathDigest } from "../../store/index.ts";

/** How long an answer counts, in seconds: what is there stays there, what is not may come at any time. Source: Nix. */
const FOUND_SECONDS = 30 * 24 * 3600;
const MISSING_SECONDS = 3600;
const CACHE_INFO_SECONDS = 7 * 24 * 3600;

const SCHEMA = `
create table if not exists Lookups (
    cache   text not null,
    digest  text not null,
    narinfo text,
    time    integer not null,
    primary key (cache, digest)
) without rowid;
create table if not exists CacheInfos (
    cache text primary key,
    info  text not null,
    time  integer not null
) without rowid;
`;

export interface LookupCacheOptions {
  /** Default {@link lookupCacheFile}. */
  readonly file?: string | undefined;
  /** Unix seconds now. Default the clock. */
  readonly now?: (() => number) | undefined;
}

/** `~/.cache/floe/lookups-v1.sqlite`. */
export function lookupCacheFile(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  return `${environment["XDG_CACHE_HOME"] || `${environment["HOME"] ?? homedir()}/.cache`}/floe/lookups-v1.sqlite`;
}

/**
 * What distant caches said about paths, remembered on disk. Only a convenience: where it cannot be read or written, every question
 * is asked again.
 */
export class LookupCache {
  readonly #now: () => number;
  readonly #fresh = new Map<string, readonly [cache: string, digest: string, narinfo: string | null]>();
  #database: DatabaseSync | undefined;

  constructor({ file = lookupCacheFile(), now = () => Math.floor(Date.now() / 1000) }: LookupCacheOptions = {}) {
    this.#now = now;
    this.#database = open(file) ?? open(file);
  }

  /** What a cache said; `missing` when it said that the path is not there, `undefined` when it was not asked of late. */
  find(url: string, path: StorePath): NarInfo | "missing" | undefined {
    const row = this.#try((database) =>
      database
        .prepare("select narinfo, time from Lookups where cache = ? and digest = ?")
        .get(keyOf(url), storePathDigest(path)),
    ) as { narinfo: string | null; time: number } | undefined;
    if (row === undefined) return undefined;
    const age = this.#now() - row.time;
    if (age < 0 || age > (row.narinfo === null ? MISSING_SECONDS : FOUND_SECONDS)) return undefined;
    if (row.narinfo === null) return "missing";
    try {
      const info = parseNarInfo(row.narinfo);
      return info.path === path ? info : undefined;
    } catch {
      return undefined;
    }
  }

  /** Note what a cache said; written by {@link flush}. */
  remember(url: string, path: StorePath, info: NarInfo | undefined): void {
    const digest = storePathDigest(path);
    this.#fresh.set(`${keyOf(url)} ${digest}`, [keyOf(url), digest, info === undefined ? null : formatNarInfo(info)]);
  }

  /** What a cache said of itself (`nix-cache-info`) within seven days. */
  findCacheInfo(url: string): string | undefined {
    const row = this.#try((database) =>
      database.prepare("select info, time from CacheInfos where cache = ?").get(keyOf(url)),
    ) as { info: string; time: number } | undefined;
    if (row === undefined) return undefined;
    const age = this.#now() - row.time;
    return age < 0 || age > CACHE_INFO_SECONDS ? undefined : row.info;
  }

  rememberCacheInfo(url: string, text: string): void {
    this.#try((database) =>
      database
        .prepare("insert or replace into CacheInfos (cache, info, time) values (?, ?, ?)")
        .run(keyOf(url), text, this.#now()),
    );
  }

  /** Ask again about these paths the next time: they were uploaded, or turned out to be gone. */
  forget(url: string, paths: Iterable<StorePath>): void {
    for (const path of paths) {
      const digest = storePathDigest(path);
      this.#fresh.delete(`${keyOf(url)} ${digest}`);
      this.#try((database) =>
        database.prepare("delete from Lookups where cache = ? and digest = ?").run(keyOf(url), digest),
      );
    }
  }

  /** Write what was noted, and drop what is too old to count. */
  flush(): void {
    if (this.#fresh.size === 0) return;
    const now = this.#now();
    this.#try((database) => {
      database.exec("begin immediate");
      const insert = database.prepare(
        "insert or replace into Lookups (cache, digest, narinfo, time) values (?, ?, ?, ?)",
      );
      for (const row of this.#fresh.values()) insert.run(...row, now);
      database.prepare("delete from Lookups where time < ?").run(now - FOUND_SECONDS);
      database.exec("commit");
    });
    this.#fresh.clear();
  }

  close(): void {
    this.flush();
    this.#try((database) => database.close());
    this.#database = undefined;
  }

  #try<T>(run: (database: DatabaseSync) => T): T | undefined {
    if (this.#database === undefined) return undefined;
    try {
      return run(this.#database);
    } catch {
      // Damaged, locked for long, or on a full disk: go on without it.
      this.#database = undefined;
      return undefined;
    }
  }
}

/** Open the file; one that is no database is removed, so that a second try begins with an empty one. */
function open(file: string): DatabaseSync | undefined {
  try {
    mkdirSync(dirname(file), { recursive: true });
    const database = new DatabaseSync(file, { timeout: 2000 });
    database.exec(`pragma journal_mode = wal; pragma synchronous = off; ${SCHEMA}`);
    return database;
  } catch (error) {
    // Source: SQLite, result codes 11 (SQLITE_CORRUPT) and 26 (SQLITE_NOTADB).
    if (![11, 26].includes((error as { errcode?: number }).errcode ?? 0)) return undefined;
    for (const suffix of ["", "-wal", "-shm"]) rmSync(file + suffix, { force: true });
    return undefined;
  }
}

/** One cache may be written with and without a slash, parameters or a password. */
function keyOf(url: string): string {
  return showUrl(url).replace(/\/+$/, "");
}

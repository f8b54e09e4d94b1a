import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CodedError, compareText } from "../../base/index.ts";
import type { Realisation, StorePath } from "../../store/index.ts";
import { writeFileAtomic } from "../files/index.ts";
import type { StoreDatabase } from "./database.ts";

/** What we write; Nix 2.8 refuses later versions. */
const VERSION = 3;
/** Versions whose tables have these columns. */
const READABLE = new Set(["3", "4"]);

/**
 * Tables of realisations, as of version 3. Names and columns are what Nix looks for.
 *
 * Source: Nix 2.8, `src/libstore/ca-specific-schema.sql`.
 */
const TABLES = `
create table if not exists Realisations (
    id         integer primary key autoincrement not null,
    drvPath    text not null,
    outputName text not null,
    outputPath integer not null,
    signatures text,
    foreign key (outputPath) references ValidPaths(id) on delete cascade
);
create index if not exists IndexRealisations on Realisations(drvPath, outputName);
create table if not exists RealisationsRefs (
    referrer             integer not null,
    realisationReference integer,
    foreign key (referrer) references Realisations(id) on delete cascade,
    foreign key (realisationReference) references Realisations(id) on delete restrict
);
create index if not exists IndexRealisationsRefs on RealisationsRefs(referrer);
create index if not exists IndexRealisationsRefsOnOutputPath on Realisations(outputPath);
`;

const HAS_TABLE = "select 1 from sqlite_master where type = 'table' and name = 'RealisationsRefs'";
const FIND =
  "select r.id, v.path, r.signatures from Realisations r join ValidPaths v on r.outputPath = v.id where r.drvPath = ? and r.outputName = ?";
const ALL =
  "select r.id, r.drvPath, r.outputName, v.path, r.signatures from Realisations r join ValidPaths v on r.outputPath = v.id order by r.id";
const DEPENDENTS = `select r.drvPath, r.outputName, v.path from RealisationsRefs f
  join Realisations r on f.realisationReference = r.id join ValidPaths v on r.outputPath = v.id where f.referrer = ?`;
const OF = `select drvPath, outputName from Realisations
  where outputPath = (select id from ValidPaths where path = ?) order by drvPath, outputName`;
const INSERT =
  "insert into Realisations (drvPath, outputName, outputPath, signatures) select ?, ?, id, ? from ValidPaths where path = ?";
const INSERT_REFERENCE = `insert into RealisationsRefs (referrer, realisationReference)
  select ?, id from Realisations where drvPath = ? and outputName = ?`;

/** Questions about what outputs became that are addressed by their content. */
export interface RealisationQueries {
  /** Whether anything was recorded. Errors `store.schema-unsupported`. */
  readonly exists: boolean;
  find(id: string): Realisation | undefined;
  /** All realisations of an object. */
  of(path: StorePath): Realisation[];
}

/**
 * What outputs became that are addressed by their content: three tables beside the others, made when the first realisation is
 * recorded. A realisation goes with the object it is about.
 */
export class RealisationTable implements RealisationQueries {
  readonly #database: StoreDatabase;
  readonly #versionFile: string;
  #exists: boolean | undefined;

  constructor(database: StoreDatabase, stateDirectory: string) {
    this.#database = database;
    this.#versionFile = join(stateDirectory, "db/ca-schema");
  }

  /**
   * Whether there are such tables: without them nothing was ever built that is addressed by its content.
   *
   * @throws {CodedError} `store.schema-unsupported`
   */
  get exists(): boolean {
    // Another process may make them at any time.
    this.#exists = this.#exists === true || this.#look();
    return this.#exists;
  }

  /** Errors as {@link exists}. */
  find(id: string): Realisation | undefined {
    if (!this.exists) return undefined;
    const row = this.#database.prepare(FIND).get(...split(id)) as Omit<Row, "drvPath" | "outputName"> | undefined;
    return row === undefined ? undefined : realisationOf(this.#database, id, row);
  }

  of(path: StorePath): Realisation[] {
    if (!this.exists) return [];
    const rows = this.#database.prepare(OF).all(path) as { drvPath: string; outputName: string }[];
    return rows.flatMap(({ drvPath, outputName }) => this.find(`${drvPath}!${outputName}`) ?? []);
  }

  /**
   * Record realisations, all or none. Their objects must be valid; one that is known already stays as it is, and what an entry
   * depends on comes before it.
   */
  add(realisations: readonly Realisation[]): void {
    if (realisations.length === 0) return;
    this.#make();
    this.#database.transaction(() => {
      for (const { id, outPath, signatures, dependentRealisations } of realisations) {
        if (this.find(id) !== undefined) continue;
        // Nix falls over an absent text.
        const text = signatures.join(" ");
        const { changes, lastInsertRowid } = this.#database.prepare(INSERT).run(...split(id), text, outPath);
        if (changes === 0) {
          throw new CodedError(
            "store.not-valid",
            `Cannot record the realisation "${id}": its output "${outPath}" is not valid`,
          );
        }
        for (const dependent of dependentRealisations.keys())
          this.#database.prepare(INSERT_REFERENCE).run(Number(lastInsertRowid), ...split(dependent));
        this.#database.record({ kind: "realisation", realisation: this.find(id) as Realisation });
      }
    });
  }

  #look(): boolean {
    if (!existsSync(this.#versionFile)) return false;
    const version = readFileSync(this.#versionFile, "utf8");
    // A database that was made anew from the journal has lost them.
    if (READABLE.has(version)) return this.#database.prepare(HAS_TABLE).get() !== undefined;
    throw new CodedError(
      "store.schema-unsupported",
      `Cannot use the tables of realisations: found their version ${JSON.stringify(version)}, expected 3 or 4`,
      {
        hint: "A newer Nix keeps them elsewhere; use a store of your own (--store) for what is addressed by its content.",
      },
    );
  }

  #make(): void {
    if (this.exists) return;
    this.#database.transaction(() => {
      for (const statement of TABLES.split(";")) if (statement.trim() !== "") this.#database.prepare(statement).run();
    });
    // Written last: with it the tables count as complete. Who was here before us has made the same ones.
    if (!existsSync(this.#versionFile)) writeFileAtomic(this.#versionFile, String(VERSION), { sync: true });
    this.#exists = true;
  }
}

interface Row {
  readonly id: number;
  readonly drvPath: string;
  readonly outputName: string;
  readonly path: StorePath;
  readonly signatures: string | null;
}

/** All realisations of a database, in the order in which they were recorded; none when it has no tables for them. */
export function readRealisations(database: Pick<StoreDatabase, "prepare">): Realisation[] {
  if (database.prepare(HAS_TABLE).get() === undefined) return [];
  return (database.prepare(ALL).all() as unknown as Row[]).map((row) =>
    realisationOf(database, `${row.drvPath}!${row.outputName}`, row),
  );
}

function realisationOf(
  database: Pick<StoreDatabase, "prepare">,
  id: string,
  row: Pick<Row, "id" | "path" | "signatures">,
): Realisation {
  const dependents = database.prepare(DEPENDENTS).all(row.id) as {
    drvPath: string;
    outputName: string;
    path: StorePath;
  }[];
  return {
    id,
    outPath: row.path,
    signatures: (row.signatures ?? "").split(" ").filter((signature) => signature !== ""),
    dependentRealisations: new Map(
      dependents
        .map(({ drvPath, outputName, path }): [string, StorePath] => [`${drvPath}!${outputName}`, path])
        .sort(([a], [b]) => compareText(a, b)),
    ),
  };
}

function split(id: string): [drvHash: string, output: string] {
  const mark = id.indexOf("!");
  return [id.slice(0, mark), id.slice(mark + 1)];
}

import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
} from "node:fs";
import { join } from "node:path";
import { CodedError, equalHashes, fromUtf8, formatHash, sortedText } from "../../base/index.ts";
import { derivationNameOf, makeInputHashes, parseDerivation } from "../../derivation/index.ts";
import {
  isDerivationPath,
  JournalReader,
  type LostObject,
  type PathInfo,
  planRecovery,
  type RecoverableObject,
  type RecoveryPlan,
  type Realisation,
  type RecoverySource,
  STORE_DIRECTORY,
  type StorePath,
  tryParseStorePath,
} from "../../store/index.ts";
import { makeScratchIn, scanTree, syncFilesystem, syncPath, writeFileAtomic } from "../files/index.ts";
import {
  checkMutable,
  JOURNAL_NAME,
  layerDirectories,
  layoutOf,
  lockFileSync,
  RealisationTable,
  register,
  SCHEMA_VERSION,
  StoreDatabase,
  StoreJournal,
  type StoreLayout,
  StoreQueryTable,
} from "../local-store/index.ts";
import { certify } from "./certify.ts";
import { hashObjects } from "./hash-objects.ts";
import { type ReadRows, readRows } from "./read-rows.ts";

export interface RecoverStoreOptions {
  /** `/`, or the folder of a chroot store. */
  readonly root: string;
  /** Hash every object, so that only what is whole becomes valid. Default true; without it the journal is believed. */
  readonly contents?: boolean;
  /** Make the database anew although it is whole. Default false. */
  readonly force?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface RecoveryReport {
  /** The database was whole and agrees with the journal, so nothing was done. */
  readonly alreadyWhole: boolean;
  readonly recovered: Readonly<Record<RecoverySource, number>>;
  /** Objects that are on disk but not whole, or refer to such; sorted. They are no longer valid; a collection removes them. */
  readonly lost: readonly LostObject[];
  /** Entries of the store directory of which nothing is known. */
  readonly unknown: number;
  /** Bytes of the journal that could not be read. */
  readonly journalDamageBytes: number;
  /** Where the old database was put. */
  readonly kept?: string;
}

/**
 * Make the database of a store anew from the journal, from what can be read of the old database, and from objects whose own path
 * certifies them. The old one is kept. It may be interrupted at any moment and be run again.
 *
 * @throws {CodedError} `store.in-use`, `store.missing`, `journal.unsupported`, and those of registering
 */
export async function recoverStore(options: RecoverStoreOptions): Promise<RecoveryReport> {
  const layout = layoutOf(options.root);
  checkMutable(layout);
  const directory = join(layout.stateDirectory, "db");
  if (!existsSync(layout.realStoreDirectory))
    throw new CodedError("store.missing", `Cannot recover the store at "${layout.root}": there is none`);
  mkdirSync(directory, { recursive: true });
  const locks = lockStore(layout, directory);
  try {
    return await new Recovery(layout, directory, options).run();
  } finally {
    for (const lock of locks) closeSync(lock);
  }
}

/** Nobody else may write meanwhile, and nobody collect. */
function lockStore({ root, stateDirectory }: StoreLayout, directory: string): number[] {
  const held: number[] = [];
  for (const file of [join(directory, "big-lock"), join(stateDirectory, "gc.lock")]) {
    const fd = openSync(file, constants.O_RDWR | constants.O_CREAT, 0o600);
    held.push(fd);
    if (lockFileSync(fd, "exclusive", { wait: false })) continue;
    for (const lock of held) closeSync(lock);
    throw new CodedError("store.in-use", `Cannot recover the store at "${root}": other programs are using it`, {
      hint: "Stop nix-daemon and whatever builds, then run the command again.",
    });
  }
  return held;
}

/** Facts about one path, the most trustworthy first. */
type Facts = Map<StorePath, RecoverableObject[]>;

class Recovery {
  readonly #layout: StoreLayout;
  readonly #directory: string;
  readonly #options: RecoverStoreOptions;
  readonly #reader = new JournalReader();
  #lastId = 0;
  /** By id, in the order in which they were recorded: what one depends on comes before it. */
  readonly #realisations = new Map<string, Realisation>();

  constructor(layout: StoreLayout, directory: string, options: RecoverStoreOptions) {
    this.#layout = layout;
    this.#directory = directory;
    this.#options = options;
  }

  async run(): Promise<RecoveryReport> {
    const journal = this.#readJournal();
    const old = this.#readOldDatabase();
    const damage = this.#reader.damage.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (this.#options.force !== true && old.whole && agree(old, journal)) return nothingDone(damage);
    const present = this.#listObjects();
    const facts: Facts = new Map();
    for (const path of present) {
      const row = old.infos.get(path);
      const recorded = journal.get(path);
      const known = [...asFact(recorded, "journal"), ...asFact(row, "database")];
      facts.set(path, old.whole && isNewer(row, recorded) ? known.reverse() : known);
    }
    const { whole, broken, unknown } = await this.#judge(facts, old.whole);
    const plan = planRecovery(whole, broken);
    for (const realisation of old.realisations)
      if (!this.#realisations.has(realisation.id)) this.#realisations.set(realisation.id, realisation);
    const kept = this.#replaceDatabase(plan);
    return report(plan, unknown, damage, kept);
  }

  /** What the journal says is valid at its end. */
  #readJournal(): Map<StorePath, PathInfo> {
    const infos = new Map<StorePath, PathInfo>();
    for (const record of new StoreJournal(this.#directory).read(this.#reader)) {
      if (record.kind === "valid") infos.set(record.info.path, record.info);
      else if (record.kind === "invalid") infos.delete(record.path);
      else if (record.kind === "realisation") this.#realisations.set(record.realisation.id, record.realisation);
      else if (record.kind === "mark") this.#lastId = Math.max(this.#lastId, record.coveredId, record.pendingId);
    }
    return infos;
  }

  #readOldDatabase(): ReadRows {
    using scratch = makeScratchIn(this.#directory);
    const work = scratch.path;
    if (!existsSync(join(this.#directory, "db.sqlite"))) return { whole: false, infos: new Map(), realisations: [] };
    for (const name of ["db.sqlite", "db.sqlite-wal"]) {
      const file = join(this.#directory, name);
      if (existsSync(file)) copyFileSync(file, join(work, name), constants.COPYFILE_FICLONE);
    }
    return readRows(join(work, "db.sqlite"), this.#lastId);
  }

  #listObjects(): StorePath[] {
    const names = new Set(layerDirectories(this.#layout).flatMap((directory) => readdirSync(directory)));
    const paths = [...names].flatMap((name) => {
      // What begins with a dot or ends like a lock is no object, whatever else its name looks like.
      const path = /\.(lock|check|chroot)$/.test(name) ? undefined : tryParseStorePath(`/nix/store/${name}`);
      return path === undefined ? [] : [path];
    });
    return sortedText(paths) as StorePath[];
  }

  /** Compare each object with what is known of it. */
  async #judge(
    facts: Facts,
    trustDatabase: boolean,
  ): Promise<{ whole: RecoverableObject[]; broken: LostObject[]; unknown: number }> {
    const whole: RecoverableObject[] = [];
    const toHash: StorePath[] = [];
    const toCertify: StorePath[] = [];
    for (const [path, [first]] of facts) {
      if (first === undefined) toCertify.push(path);
      else if (this.#options.contents === false && (first.from === "journal" || trustDatabase)) whole.push(first);
      else toHash.push(path);
    }
    const broken: LostObject[] = [];
    const hashed = await this.#hash(toHash, facts);
    for (const [index, path] of toHash.entries()) {
      const known = facts.get(path) ?? [];
      const { hash, fault } = hashed[index] ?? {};
      const right = known.find(
        ({ info }) => hash && info.narSize === hash.narSize && equalHashes(info.narHash, hash.narHash),
      );
      if (right !== undefined && (right.from === "journal" || trustDatabase)) whole.push(right);
      else if (right !== undefined) whole.push(await this.#complete(right, facts));
      else if (hash === undefined) broken.push({ path, why: fault?.message ?? "it cannot be read" });
      else {
        const certified = await certify(path, this.#real(path), [...facts.keys()]);
        if (certified !== undefined) whole.push({ info: certified, from: "files" });
        else
          broken.push({ path, why: `its contents are not what was registered (${formatHash(hash.narHash, "sri")})` });
      }
    }
    let unknown = 0;
    for (const path of toCertify) {
      this.#options.signal?.throwIfAborted();
      const info = await certify(path, this.#real(path), [...facts.keys()]);
      if (info === undefined) unknown += 1;
      else whole.push({ info, from: "files" });
    }
    return { whole: whole.filter(({ info }) => this.#canRegister(info)), broken, unknown };
  }

  #hash(paths: readonly StorePath[], facts: Facts): ReturnType<typeof hashObjects> {
    let done = 0;
    const { signal, onProgress } = this.#options;
    return hashObjects(
      paths.map((path) => ({ path: this.#real(path), sizeBytes: facts.get(path)?.[0]?.info.narSize ?? 0 })),
      { signal, onHashed: () => onProgress?.(++done, paths.length) },
    );
  }

  /**
   * A row of a damaged database whose hash is right: its references are looked up in the contents again, because rows of `Refs`
   * may be missing; and its content address must be one.
   */
  async #complete({ info, from }: RecoverableObject, facts: Facts): Promise<RecoverableObject> {
    const certified =
      info.ca === undefined ? undefined : await certify(info.path, this.#real(info.path), [...facts.keys()]);
    if (certified !== undefined) return { info: { ...info, references: certified.references, ca: certified.ca }, from };
    const { references } = await scanTree(this.#real(info.path), { candidates: facts.keys() });
    const { ca: _, ...others } = info;
    return {
      info: { ...others, references: sortedText(new Set([...references, ...info.references])) as StorePath[] },
      from,
    };
  }

  /** A `.drv` file that cannot be read would stop the whole registration. */
  #canRegister({ path }: PathInfo): boolean {
    if (!isDerivationPath(path)) return true;
    try {
      this.#readDerivation(path);
      return true;
    } catch (error) {
      if ((error as Error).name === "CodedError") return false;
      throw error;
    }
  }

  #readDerivation = (path: StorePath): ReturnType<typeof parseDerivation> =>
    parseDerivation(fromUtf8(readFileSync(this.#real(path))), derivationNameOf(path));

  #real(path: string): string {
    const places = layerDirectories(this.#layout).map((directory) => directory + path.slice(STORE_DIRECTORY.length));
    return places.find((place) => lstatSync(place, { throwIfNoEntry: false }) !== undefined) ?? (places[0] as string);
  }

  /** Write a new database and journal, then put them in place: the journal first, since a database can be made from it. */
  #replaceDatabase(plan: RecoveryPlan): string | undefined {
    using scratch = makeScratchIn(this.#directory);
    const work = scratch.path;
    const database = new StoreDatabase({ ...this.#layout, stateDirectory: work }, { readOnly: false });
    const queries = new StoreQueryTable(database);
    register(
      { database, queries, readDerivation: this.#readDerivation, inputs: makeInputHashes(this.#readDerivation) },
      plan.objects.map(({ info }) => info),
    );
    const valid = new Set(plan.objects.map(({ info }) => info.path));
    const realisations = [...this.#realisations.values()].filter(({ outPath }) => valid.has(outPath));
    new RealisationTable(database, work).add(realisations);
    database.close();
    syncFilesystem(work);
    const made = (name: string): string => join(work, "db", name);
    // An empty store has no journal yet.
    if (existsSync(made(JOURNAL_NAME))) renameSync(made(JOURNAL_NAME), join(this.#directory, JOURNAL_NAME));
    syncPath(this.#directory);
    const kept = this.#keepOld();
    renameSync(made("db.sqlite"), join(this.#directory, "db.sqlite"));
    if (existsSync(made("ca-schema"))) renameSync(made("ca-schema"), join(this.#directory, "ca-schema"));
    if (!existsSync(join(this.#directory, "reserved"))) renameSync(made("reserved"), join(this.#directory, "reserved"));
    writeFileAtomic(join(this.#directory, "schema"), SCHEMA_VERSION, { sync: true });
    return kept;
  }

  /** The log belongs to the old database, and would be taken for that of the new one. */
  #keepOld(): string | undefined {
    const names = ["db.sqlite-wal", "db.sqlite-shm", "db.sqlite"].filter((name) =>
      existsSync(join(this.#directory, name)),
    );
    if (names.length === 0) return undefined;
    let number = 1;
    while (existsSync(join(this.#directory, `damaged-${number}`))) number += 1;
    const folder = join(this.#directory, `damaged-${number}`);
    mkdirSync(folder);
    for (const name of names) {
      const file = join(this.#directory, name);
      if (name === "db.sqlite") linkSync(file, join(folder, name));
      else renameSync(file, join(folder, name));
    }
    syncPath(this.#directory);
    return folder;
  }
}

function asFact(info: PathInfo | undefined, from: RecoverySource): RecoverableObject[] {
  return info === undefined ? [] : [{ info, from }];
}

/** A flipped bit inside a value is no damage to SQLite, so both copies are compared. */
function agree({ infos }: ReadRows, journal: ReadonlyMap<StorePath, PathInfo>): boolean {
  for (const [path, recorded] of journal) {
    const row = infos.get(path);
    // Real Nix removes rows without telling the journal, and may make them anew.
    if (row === undefined || isNewer(row, recorded)) continue;
    if (row.narSize !== recorded.narSize || !equalHashes(row.narHash, recorded.narHash)) return false;
    if (row.registrationTime !== recorded.registrationTime || row.deriver !== recorded.deriver) return false;
    if (row.ultimate !== recorded.ultimate || !hasSignatures(row, recorded)) return false;
    if (row.ca !== recorded.ca || String(row.references) !== String(recorded.references)) return false;
  }
  return true;
}

/** Whether somebody who does not know the journal registered or signed the object after the journal heard of it. */
function isNewer(row: PathInfo | undefined, recorded: PathInfo | undefined): boolean {
  if (row === undefined || recorded === undefined) return false;
  if ((row.registrationTime ?? 0) > (recorded.registrationTime ?? 0)) return true;
  return row.signatures.length > recorded.signatures.length && hasSignatures(row, recorded);
}

function hasSignatures(row: PathInfo, recorded: PathInfo): boolean {
  return recorded.signatures.every((signature) => row.signatures.includes(signature));
}

function nothingDone(journalDamageBytes: number): RecoveryReport {
  return {
    alreadyWhole: true,
    recovered: { journal: 0, database: 0, files: 0 },
    lost: [],
    unknown: 0,
    journalDamageBytes,
  };
}

function report(
  { objects, lost }: RecoveryPlan,
  unknown: number,
  journalDamageBytes: number,
  kept: string | undefined,
): RecoveryReport {
  const recovered = { journal: 0, database: 0, files: 0 };
  for (const { from } of objects) recovered[from] += 1;
  return {
    alreadyWhole: false,
    recovered,
    lost: lost.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    unknown,
    journalDamageBytes,
    ...(kept === undefined ? {} : { kept }),
  };
}

import { lstatSync, readdirSync, renameSync } from "node:fs";
import { CodedError, equalHashes } from "../../base/index.ts";
import { type ExportedInfo, type PathInfo, readExport, type StorePath } from "../../store/index.ts";
import type { WireReader } from "../../store/wire/index.ts";
import { hashTree, removeTree, syncPath, syncTreesLater, TreeWriter } from "../files/index.ts";
import { type HeldLocks, lockRealPaths } from "./path-locks.ts";
import { writeFiles } from "./write-files.ts";

/** An object that is being written to a temporary place. */
interface Begun {
  readonly place: string;
  readonly writer: TreeWriter;
}

/** One of which all is known. */
export interface Incoming {
  readonly info: PathInfo;
  readonly place: string;
  /** Wait until all of it is written. */
  finish(): Promise<void>;
}

/** What taking in many objects needs of the store. */
export interface ImportStreamContext {
  readonly realStoreDirectory: string;
  /** Where an object of this store lies, or will. */
  placeOf(path: StorePath): string;
  isValid(path: StorePath): boolean;
  validAmong(paths: readonly StorePath[]): ReadonlySet<string>;
  queryPathInfo(path: StorePath): PathInfo | undefined;
  addTempRoots(paths: Iterable<StorePath>): void;
  /** As for adding a tree. */
  temporaryPlace(): string;
  /** What is done to complete files before they are registered. */
  takeCare(files: readonly string[]): void;
  /**
   * Register in one transaction. `choose` is called inside it, when all was checked and no one else can register: it moves what it
   * chooses to where it belongs. `places`: where the files are before that.
   */
  register(
    infos: readonly PathInfo[],
    places: ReadonlyMap<StorePath, string>,
    choose: () => ReadonlySet<StorePath>,
  ): void;
  queryReferrers(path: StorePath): StorePath[];
  /** Objects that something else refers to stay valid. */
  invalidate(paths: readonly StorePath[]): void;
  flush(): Promise<void>;
}

/** Objects are registered when so many wait, or so many bytes. */
const ROUND_OBJECTS = 10_000;
const ROUND_BYTES = 1024 * 1024 * 1024;

/** From so many objects on, reading the whole store directory costs less than looking for each. */
const MANY = 256;

/**
 * Take the objects of an export stream into the store, many at a time: what came before a fault stays valid.
 *
 * @returns The paths of the stream in its order, the ones that were valid already included.
 * @throws {CodedError} `export.malformed`, `nar.malformed`, `store-path.*`, `store.reference-not-valid`,
 *   `derivation.inconsistent`, `store.contested`
 */
export async function importStream(store: ImportStreamContext, reader: WireReader): Promise<StorePath[]> {
  const paths: StorePath[] = [];
  let round: Incoming[] = [];
  let bytes = 0;
  let current: Begun | undefined;
  const begin = (): TreeWriter => {
    const place = store.temporaryPlace();
    current = { place, writer: new TreeWriter(place) };
    return current.writer;
  };
  const add = ({ info, narHash, narSize }: Arrived, written: Omit<Incoming, "info">): void => {
    paths.push(info.path);
    round.push({ info: { ...info, narHash, narSize, signatures: [] }, ...written });
    bytes += narSize;
  };
  try {
    for await (const event of readExport(reader, begin)) {
      if (event.kind === "nar") continue;
      if (event.kind === "files") {
        const { written, failure } = await writeFiles(store, event.files);
        for (const { file, ...rest } of written) add(file, rest);
        if (failure !== undefined) throw failure.error;
      } else {
        const { writer, place } = current as Begun;
        add(event, { place, finish: () => writer.finish() });
        current = undefined;
      }
      if (round.length < ROUND_OBJECTS && bytes < ROUND_BYTES) continue;
      await takeIn(store, round);
      round = [];
      bytes = 0;
    }
  } catch (error) {
    await current?.writer.abandon();
    if (current !== undefined) removeTree(current.place);
    // What is complete is kept, as if the stream had ended there.
    await takeIn(store, round).catch(() => undefined);
    throw error;
  }
  await takeIn(store, round);
  return paths;
}

/** What an export stream says of an object, and what its archive is. */
interface Arrived {
  readonly info: ExportedInfo;
  readonly narHash: PathInfo["narHash"];
  readonly narSize: number;
}

/**
 * Make objects valid that lie at temporary places, with one wait for the disk and one transaction. What they refer to is valid or
 * among them. The places are empty afterwards.
 */
export async function takeIn(store: ImportStreamContext, round: readonly Incoming[]): Promise<void> {
  if (round.length === 0) return;
  const placed = new Set<string>();
  try {
    for (const each of round) await each.finish();
    const incoming = new Map(round.map((each) => [each.info.path, each]));
    store.addTempRoots(incoming.keys());
    const valid = store.validAmong([...incoming.keys()]);
    const fresh = [...incoming.values()].filter(({ info }) => !valid.has(info.path));
    const files = fresh.map(({ place }) => place);
    store.takeCare(files);
    await syncTreesLater(files, store.realStoreDirectory);
    let left: ReadonlySet<StorePath>;
    try {
      left = placeAll(store, fresh, placed);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      // One of them cannot be registered: those that do not need it can.
      left = new Set(fresh.map(({ info }) => info.path));
    }
    const exists = lookAround(store, fresh.length);
    for (const { info } of fresh) {
      if (!left.has(info.path) && exists(lockFileOf(store.placeOf(info.path)))) await lookAgain(store, info.path);
    }
    try {
      await placeEach(
        store,
        fresh.filter(({ info }) => left.has(info.path)),
      );
    } finally {
      await store.flush();
    }
  } finally {
    const rest = round.filter(({ place }) => !placed.has(place));
    const exists = lookAround(store, rest.length);
    for (const { place } of rest) if (exists(place)) removeTree(place);
  }
}

/**
 * Give many objects their places without locking each, which costs a process: whoever else writes one of them has its lock
 * file. Gives those that somebody is at work on, and what refers to them.
 *
 * @param placed Told of the temporary places that were emptied.
 */
function placeAll(
  store: ImportStreamContext,
  incoming: readonly Incoming[],
  placed: Set<string>,
): ReadonlySet<StorePath> {
  const left = new Set<StorePath>();
  const places = new Map(incoming.map(({ info, place }) => [info.path, place]));
  const infos = incoming.map(({ info }) => info);
  store.register(infos, places, () => {
    const chosen = new Set<StorePath>();
    const exists = lookAround(store, incoming.length);
    const valid = store.validAmong(infos.map(({ path }) => path));
    for (const { info, place } of incoming) {
      const real = store.placeOf(info.path);
      if (exists(lockFileOf(real)) || info.references.some((reference) => left.has(reference))) {
        left.add(info.path);
      } else if (!valid.has(info.path)) {
        if (exists(real)) removeTree(real);
        renameSync(place, real);
        placed.add(place);
        chosen.add(info.path);
      }
    }
    // Names are on disk before the rows are.
    syncPath(store.realStoreDirectory);
    return chosen;
  });
  return left;
}

function lockFileOf(real: string): string {
  return `${real}.lock`;
}

/** What is in the store directory at this moment: read at once when many are asked for. */
function lookAround({ realStoreDirectory }: ImportStreamContext, count: number): (real: string) => boolean {
  if (count < MANY) return (real) => lstatSync(real, { throwIfNoEntry: false }) !== undefined;
  const names = new Set(readdirSync(realStoreDirectory));
  return (real) => names.has(real.slice(realStoreDirectory.length + 1));
}

/**
 * Somebody may have asked whether the object is valid before we registered it, and write it anew now. They hold its lock until
 * they have registered theirs; if they died before that, half of it is there.
 */
async function lookAgain(store: ImportStreamContext, path: StorePath): Promise<void> {
  const real = store.placeOf(path);
  const locks = (await lockRealPaths([real])) as HeldLocks;
  try {
    const info = store.queryPathInfo(path);
    if (info === undefined) return;
    const whole = await hashTree(real)
      .then(({ narHash }) => equalHashes(narHash, info.narHash))
      .catch(() => false);
    if (whole) return;
    const unfounded = new Set([path]);
    for (const each of unfounded) for (const referrer of store.queryReferrers(each)) unfounded.add(referrer);
    store.invalidate([...unfounded]);
    await store.flush();
    removeTree(real);
  } finally {
    locks.release();
  }
  throw new CodedError("store.contested", `Cannot import "${path}": somebody else wrote it as well and did not end`, {
    hint: "Run the command again.",
  });
}

/** One after the other. One that is refused takes along only what refers to it. */
async function placeEach(store: ImportStreamContext, incoming: readonly Incoming[]): Promise<void> {
  const refused = new Set<StorePath>();
  let first: CodedError | undefined;
  for (const each of incoming) {
    const { path, references } = each.info;
    try {
      if (references.some((reference) => refused.has(reference))) refused.add(path);
      else await placeLocked(store, each);
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      refused.add(path);
      first ??= error;
    }
  }
  if (first !== undefined) throw first;
}

async function placeLocked(store: ImportStreamContext, { info, place }: Incoming): Promise<void> {
  const real = store.placeOf(info.path);
  const locks = (await lockRealPaths([real])) as HeldLocks;
  try {
    if (store.isValid(info.path)) return;
    store.register([info], new Map([[info.path, place]]), () => {
      if (store.isValid(info.path)) return new Set();
      removeTree(real);
      renameSync(place, real);
      syncPath(store.realStoreDirectory);
      return new Set([info.path]);
    });
  } finally {
    locks.release();
  }
}

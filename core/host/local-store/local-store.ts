import { join } from "node:path";
import { CodedError, hashBytes, sortedText, utf8 } from "../../base/index.ts";
import {
  type Derivation,
  derivationNameOf,
  derivationPath,
  derivationReferences,
  formatDerivation,
  hashDerivationModulo,
  type InputHashes,
  isImpure,
  makeInputHashes,
  parseDerivation,
} from "../../derivation/index.ts";
import {
  type ArrivingObject,
  closureOf,
  formatContentAddress,
  type GcGraph,
  makeRealisationId,
  makeTextPath,
  notValid,
  parseStorePath,
  type PathInfo,
  type Realisation,
  type Store,
  STORE_DIRECTORY,
  type StorePath,
} from "../../store/index.ts";
import type { WireReader } from "../../store/wire/index.ts";
import { dumpTree, removeTree, syncTrees, syncTreesLater } from "../files/index.ts";
import { type AddTreeOptions, addTree } from "./add-tree.ts";
import { Batches } from "./batches.ts";
import { type ClosureSource, closuresWithInfos, referencesOfMany } from "./closures.ts";
import { StoreDatabase } from "./database.ts";
import { FileCare } from "./file-care.ts";
import { readGcGraph } from "./gc-graph.ts";
import { addIndirectRoot, placeOfRoot, registerRoot } from "./gc-roots.ts";
import { invalidate } from "./invalidation.ts";
import { importInOrder, importMany, type ImportManyOptions } from "./import-many.ts";
import { importStream, type ImportStreamContext } from "./import-stream.ts";
import { checkMutable, isStoreWritable, makeDirectories, type StoreLayout } from "./layout.ts";
import { writeFileObject } from "./object-writer.ts";
import { type HeldLocks, type LockPathsOptions, lockRealPaths } from "./path-locks.ts";
import type { RecordedContents } from "./queries.ts";
import { register } from "./registration.ts";
import { addSignatures } from "./signatures.ts";
import { layerDirectories, layoutOf } from "./store-address.ts";
import { StoreLayers } from "./store-layers.ts";
import { acquireTempRoots, releaseTempRoots, type TempRoots } from "./temp-roots.ts";
import { TemporaryPlaces } from "./temporary-places.ts";
import { readDerivationAt, unpackNar } from "./unpack-nar.ts";

export interface OpenLocalStoreOptions {
  /**
   * `/`, or the folder of a chroot store, which has `nix/store` and `nix/var/nix` below it; an address or a layout. Default
   * `defaultStoreRoot`.
   */
  readonly root?: string | StoreLayout | undefined;
  /** Only ask; nothing is made or locked, and a store that does not exist is an empty one. Default false. */
  readonly readOnly?: boolean | undefined;
  /** What is done to files before they are registered. Default as in {@link StoreSettings}. */
  readonly autoOptimise?: boolean | undefined;
  readonly ignoredAttributes?: readonly string[] | undefined;
}

/**
 * Open a store of this machine; it is made when it is not there.
 *
 * @throws {CodedError} `store.not-writable`, `store.schema-unsupported`, `store.no-flock`; of one that is only read `store.missing`,
 *   `store.log-left`; those of {@link layoutOf}
 */
export function openLocalStore(options: OpenLocalStoreOptions = {}): LocalStore {
  return new LocalStore(layoutOf(options.root), options);
}

interface RegisterOptions {
  readonly places?: ReadonlyMap<StorePath, string>;
  readonly choose?: (() => ReadonlySet<StorePath>) | undefined;
}

/** A store of this machine: files below its root and a database that real Nix reads and writes as well. */
export class LocalStore implements Store {
  readonly storeDirectory: string = STORE_DIRECTORY;
  readonly readOnly: boolean;
  readonly layout: StoreLayout;
  /** `/` or the folder of a chroot store. */
  readonly root: string;
  /** Where objects are written. */
  readonly realStoreDirectory: string;
  readonly stateDirectory: string;
  readonly logDirectory: string;
  readonly #care: FileCare;
  readonly #database: StoreDatabase;
  readonly #lower: LocalStore | undefined;
  readonly #layers: StoreLayers;
  readonly #derivations = new Map<StorePath, Derivation>();
  #inputs: InputHashes = makeInputHashes((path) => this.#readDerivationFile(path));
  readonly #temporaries = new TemporaryPlaces();
  /** Where objects are that are being registered and not yet where they belong. */
  #underway: ReadonlyMap<StorePath, string> = new Map();
  #tempRoots: TempRoots | undefined;
  /** Objects of a batch that are written but not registered yet, and the locks on them. */
  readonly #batches = new Batches(() => this.registerOutputsLater([]));

  constructor(
    layout: StoreLayout,
    { readOnly = false, isLower = false, ...settings }: OpenLocalStoreOptions & { readonly isLower?: boolean },
  ) {
    this.layout = layout;
    this.root = layout.root;
    this.realStoreDirectory = layout.realStoreDirectory;
    this.stateDirectory = layout.stateDirectory;
    this.logDirectory = layout.logDirectory;
    this.readOnly = readOnly || layout.immutable;
    this.#care = new FileCare(layout.realStoreDirectory, settings);
    this.#lower =
      layout.lower === undefined ? undefined : new LocalStore(layout.lower, { readOnly: true, isLower: true });
    this.#database = new StoreDatabase(layout, { readOnly, ...(isLower ? { mustExist: true } : {}) });
    this.#layers = new StoreLayers(this.#database, {
      lower: this.#lower,
      stateDirectory: layout.stateDirectory,
      register: (infos) => this.#registerHere(infos, {}),
    });
  }

  /** The file of the database. */
  get databaseFile(): string {
    return join(this.stateDirectory, "db/db.sqlite");
  }

  /** Whether this process may change the store. */
  isWritable(): boolean {
    return isStoreWritable(this.layout);
  }

  /** @throws {CodedError} `store.read-only` */
  checkMutable(): void {
    checkMutable(this.layout);
  }

  /** The place on the host of a path at or inside a store object. */
  realPath(path: string): string {
    return this.#layers.sharedPlace(path) ?? this.placeOf(path);
  }

  /** Where a path at or inside a store object of this very store lies, or would. */
  placeOf(path: string): string {
    return this.realStoreDirectory + path.slice(STORE_DIRECTORY.length);
  }

  /** Whether an object lies in a lower store, where nothing is changed and nothing deleted. */
  isShared(path: string): boolean {
    return this.#layers.sharedPlace(path) !== undefined;
  }

  /** The directories in which the objects lie, this store's own first. */
  get objectDirectories(): string[] {
    return layerDirectories(this.layout);
  }

  isValid(path: string): boolean {
    return this.#batches.own?.infos.has(path as StorePath) === true || this.#layers.queries.has(path);
  }

  queryPathInfo(path: StorePath): PathInfo | undefined {
    return this.#batches.own?.infos.get(path) ?? this.#layers.queries.pathInfo(path);
  }

  queryReferrers(path: StorePath): StorePath[] {
    return this.#layers.queries.referrers(path);
  }

  /** What an output became that is addressed by its content, by the id of {@link realisationIds}. */
  queryRealisation(id: string): Realisation | undefined {
    return this.#layers.realisations.find(id);
  }

  /** What was recorded of the derivations whose output an object is. */
  queryRealisationsOf(path: StorePath): Realisation[] {
    return this.#layers.realisations.of(path);
  }

  /** Whether anything was recorded that {@link queryRealisation} could give. */
  get hasRealisations(): boolean {
    return this.#layers.realisations.exists;
  }

  /** Ids of the realisations of a derivation's outputs, by output. Its inputs are read. */
  realisationIds(derivation: Derivation): Map<string, string> {
    const { hashes } = hashDerivationModulo(derivation, { masked: true, inputs: this.#inputs });
    return new Map([...hashes].map(([output, hash]) => [output, makeRealisationId(hash, output)]));
  }

  /** Where an output lies: what the derivation states, else what an earlier build found out. Impure ones are made anew each time. */
  findOutput(derivation: Derivation, output: string): StorePath | undefined {
    const stated = derivation.outputs[output]?.path ?? "";
    if (stated !== "") return stated as StorePath;
    if (isImpure(derivation)) return undefined;
    const id = this.hasRealisations ? this.realisationIds(derivation).get(output) : undefined;
    return id === undefined ? undefined : this.#layers.realisations.find(id)?.outPath;
  }

  /** Record what outputs became, all or none. @throws {CodedError} `store.not-valid`, `store.schema-unsupported` */
  addRealisations(realisations: readonly Realisation[]): void {
    this.#layers.addRealisations(realisations);
  }

  /** Valid `.drv` files that promise this output; sorted. */
  queryValidDerivers(output: StorePath): StorePath[] {
    return this.#layers.queries.validDerivers(output);
  }

  queryByDigest(digest: string): StorePath | undefined {
    return this.#layers.queries.byDigest(digest);
  }

  /** All valid paths, sorted. */
  allPaths(): StorePath[] {
    return this.#layers.queries.allPaths();
  }

  /** {@link allPaths} as one text, a path to a line: who only compares them saves a string for each. */
  allPathsText(): string {
    return this.#layers.queries.allPathsText();
  }

  /** What was recorded of the contents of all objects, in no order. */
  allContents(): RecordedContents[] {
    return this.#layers.queries.allContents();
  }

  /** {@link queryPathInfo} of all objects, sorted by path. */
  allPathInfos(): PathInfo[] {
    return this.#layers.allPathInfos();
  }

  closure(paths: Iterable<StorePath>): StorePath[] {
    return closureOf(paths, this.referencesOfMany());
  }

  /**
   * For closures of several groups of objects: facts of all they hold. The order is that of {@link closure}.
   *
   * @throws {CodedError} `store.not-valid`, `store.reference-cycle`
   */
  closuresWithInfos(groups: readonly (readonly StorePath[])[]): PathInfo[][] {
    return closuresWithInfos(this.#closureSource(), groups);
  }

  /** Answers for the references of one object after the other; when they become many, all of the store is read at once. */
  referencesOfMany(): (path: StorePath) => readonly StorePath[] {
    return referencesOfMany(this.#closureSource());
  }

  readNar(path: StorePath): AsyncIterable<Uint8Array> {
    if (!this.isValid(path)) throw notValid(path);
    return dumpTree(this.realPath(path));
  }

  /** @throws {CodedError} `store.not-valid`, `derivation.malformed` */
  readDerivation(path: StorePath | string): Derivation {
    const drvPath = parseStorePath(path);
    if (!this.isValid(drvPath)) throw notValid(drvPath);
    return this.#readDerivationFile(drvPath);
  }

  addText(name: string, contents: string, references: readonly StorePath[]): StorePath {
    return this.#addTextAt(makeTextPath(name, contents, references), contents, references);
  }

  /** Write a derivation's `.drv` file. @throws {CodedError} `derivation.inconsistent`, `store.reference-not-valid` */
  addDerivation(derivation: Derivation): StorePath {
    return this.#addTextAt(derivationPath(derivation), formatDerivation(derivation), derivationReferences(derivation));
  }

  /**
   * Write a `.drv` file from its text.
   *
   * @throws {CodedError} `store.wrong-path` when the text belongs to another path; as {@link addDerivation}.
   */
  addDerivationText(drvPath: StorePath | string, text: string): StorePath {
    const path = parseStorePath(drvPath);
    if (this.isValid(path)) {
      this.addTempRoot(path);
      return path;
    }
    const derivation = parseDerivation(text, derivationNameOf(path));
    const references = derivationReferences(derivation);
    const right = makeTextPath(`${derivation.name}.drv`, text, references);
    if (right !== path)
      throw new CodedError("store.wrong-path", `Cannot add the derivation "${path}": its text belongs to "${right}"`);
    return this.#addTextAt(path, text, references);
  }

  /** Add a file or tree of the host; see {@link AddTreeOptions}. Only what is not valid yet is copied. */
  addTree(options: AddTreeOptions): Promise<StorePath> {
    return addTree(
      {
        placeOf: (path) => this.placeOf(path),
        isValid: (path) => this.isValid(path),
        addTempRoot: (path) => this.addTempRoot(path),
        addTempRoots: (paths) => this.addTempRoots(paths),
        temporaryPlace: () => this.#temporaryPlace(),
        lock: (real) => this.#batches.lock(real),
        makeValid: (info, locks) => this.#makeValidLater(info, locks),
      },
      options,
    );
  }

  async importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    const locks = await this.unpackNar(info, nar);
    if (locks === undefined) return;
    try {
      await this.#makeValidLater(info, locks);
    } catch (error) {
      if (!this.isValid(info.path)) removeTree(this.placeOf(info.path));
      locks.release();
      throw error;
    }
  }

  /**
   * The part of {@link importNar} that does not make the object valid: `registerOutputsLater` is to do that, then the locks
   * are to be released. Who gives up in between removes the files first.
   *
   * @returns `undefined` when the object is valid already.
   * @throws {CodedError} `store.nar-mismatch`, `store.content-address-mismatch`, `nar.malformed`, `derivation.malformed` for a
   *   `.drv` file that is none; nothing is left then.
   */
  async unpackNar(
    info: PathInfo,
    nar: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): Promise<HeldLocks | undefined> {
    this.addTempRoot(info.path);
    if (this.isValid(info.path)) return undefined;
    this.checkMutable();
    const { path } = info;
    return unpackNar({
      info,
      nar,
      place: this.placeOf(path),
      isValid: () => this.isValid(path),
      // Only waiting for somebody else is worth interrupting: it is their lock file then, and none of ours stays behind.
      lock: (place) => this.#batches.lock(place, signal === undefined ? {} : { signal }),
    });
  }

  /** Take in an export stream; see {@link importStream}. */
  importStream(reader: WireReader): Promise<StorePath[]> {
    return importStream(this.#importContext(), reader);
  }

  /** Take in objects that come one after the other; see {@link importInOrder}. */
  importInOrder(objects: AsyncIterable<ArrivingObject>): Promise<void> {
    return importInOrder(this.#importContext(), objects);
  }

  /** Take in many objects together, which costs a fraction of {@link importNar} for each; see {@link importMany}. */
  importMany(options: ImportManyOptions): Promise<void> {
    return importMany(this.#importContext(), options);
  }

  /**
   * Add many objects with one wait for the disk and one transaction at the end. Inside, what was added counts as valid.
   * When `run` fails nothing of the batch is registered, but for what had to be because somebody waited for its lock. A batch begun
   * inside another one is part of it; others wait for their turn.
   */
  batch<T>(run: () => T | Promise<T>): Promise<T> {
    return this.#batches.run(run, () => this.flushLater());
  }

  /**
   * Make objects valid whose files are complete and canonical: wait until they are on disk, then one transaction. Before it is told
   * to anyone, {@link flush} has to be called.
   *
   * @throws {CodedError} as `register`, and `files.sync-failed`
   */
  registerOutputs(infos: readonly PathInfo[]): void {
    const all = this.#withWaiting(infos);
    if (all.length === 0) return;
    const files = this.#places(all);
    this.#care.take(files);
    syncTrees(files, this.realStoreDirectory);
    this.#register(all);
  }

  /** {@link registerOutputs} that leaves the process free while it waits for the disk. */
  async registerOutputsLater(infos: readonly PathInfo[]): Promise<void> {
    const all = this.#withWaiting(infos);
    if (all.length === 0) return;
    const files = this.#places(all);
    this.#care.take(files);
    await syncTreesLater(files, this.realStoreDirectory);
    this.#register(all);
  }

  /** Add signatures to valid objects; they are on disk afterwards. See {@link addSignatures}. */
  addSignatures(added: ReadonlyMap<StorePath, readonly string[]>): number {
    this.#layers.adopt(added.keys());
    const count = addSignatures({ database: this.#database, queries: this.#layers.own }, added);
    this.flush();
    return count;
  }

  /** Keep a path, valid or about to be, from being collected while this process lives. */
  addTempRoot(path: string): void {
    this.addTempRoots([path]);
  }

  addTempRoots(paths: Iterable<string>): void {
    this.#openTempRoots()?.add(paths);
  }

  /** The first temporary root takes some milliseconds: let them go by while something else is waited for. */
  prepareTempRoots(): void {
    try {
      this.#openTempRoots()?.prepare();
    } catch {
      // Who adds a root is told.
    }
  }

  #openTempRoots(): TempRoots | undefined {
    // Nothing of it is ever deleted.
    if (this.layout.immutable) return undefined;
    if (this.#tempRoots === undefined) {
      makeDirectories(this.layout);
      this.#tempRoots = acquireTempRoots(this.stateDirectory);
    }
    return this.#tempRoots;
  }

  /** Lock store paths against other writers; `undefined` when one is taken and we do not wait. */
  lockPaths(paths: Iterable<string>, options: LockPathsOptions = {}): Promise<HeldLocks | undefined> {
    this.checkMutable();
    return lockRealPaths(
      [...paths].map((path) => this.placeOf(path)),
      options,
    );
  }

  /** The graph of all objects of this store's own database, for a collection. */
  readGcGraph(): GcGraph {
    return readGcGraph(this.#database);
  }

  /** Make objects invalid before their files go; see `invalidate`. Only a collection may do that. */
  invalidate(paths: readonly StorePath[]): StorePath[] {
    return invalidate(this.#database, paths);
  }

  /** Those of many paths that are valid. */
  validAmong(paths: readonly string[]): Set<string> {
    return this.#layers.queries.validAmong(paths);
  }

  /** Make the link `result` to a store path, in one step, and let it keep its target; see `addIndirectRoot`. */
  addIndirectRoot(link: string, target: string): void {
    if (!this.layout.immutable) makeDirectories(this.layout);
    addIndirectRoot(this.layout, link, target);
  }

  /** What stands for a link among the roots, once it is registered. */
  placeOfRoot(link: string): string {
    return placeOfRoot(this.layout, link);
  }

  /** Let a link that exists keep its target. */
  registerRoot(link: string): void {
    makeDirectories(this.layout);
    registerRoot(this.layout, link);
  }

  /**
   * Wait until everything that was registered is on disk. What adds objects does so by itself (a batch at its end); after
   * {@link registerOutputs} the caller does, before it tells anyone that they are there.
   */
  flush(): void {
    this.#database.flush();
  }

  /** {@link flush} that leaves the process free meanwhile. */
  flushLater(): Promise<void> {
    return this.#database.flushLater();
  }

  /** What was registered is on disk afterwards. */
  close(): void {
    if (this.#tempRoots !== undefined) releaseTempRoots(this.#tempRoots);
    this.#tempRoots = undefined;
    this.#database.close();
    this.#lower?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Objects of an open batch go first: what is registered now may refer to them. */
  #withWaiting(infos: readonly PathInfo[]): PathInfo[] {
    return [...(this.#batches.own?.infos.values() ?? []), ...infos];
  }

  #closureSource(): ClosureSource {
    return { queries: this.#layers.queries, whole: this.#layers.whole, waiting: this.#batches.own?.infos };
  }

  #places(infos: readonly PathInfo[]): string[] {
    return infos.map((info) => this.placeOf(info.path));
  }

  #register(infos: readonly PathInfo[], options: RegisterOptions = {}): void {
    this.#layers.register(infos, (own) => this.#registerHere(own, options));
    const { own } = this.#batches;
    for (const info of infos) own?.infos.delete(info.path);
  }

  #registerHere(infos: readonly PathInfo[], { places = new Map(), choose }: RegisterOptions): void {
    this.#underway = places;
    try {
      register(
        {
          database: this.#database,
          queries: this.#layers.own,
          readDerivation: (path) => this.#readDerivationFile(path),
          inputs: this.#inputs,
          choose,
        },
        infos,
      );
    } catch (error) {
      // Files that were refused are not what will be at their paths.
      this.#derivations.clear();
      this.#inputs = makeInputHashes((path) => this.#readDerivationFile(path));
      throw error;
    } finally {
      this.#underway = new Map();
    }
  }

  #readDerivationFile(path: StorePath): Derivation {
    let derivation = this.#derivations.get(path);
    if (derivation === undefined) {
      derivation = readDerivationAt(this.#underway.get(path) ?? this.realPath(path), path);
      this.#derivations.set(path, derivation);
    }
    return derivation;
  }

  #addTextAt(path: StorePath, text: string, references: readonly StorePath[]): StorePath {
    this.addTempRoot(path);
    if (this.isValid(path)) return path;
    this.checkMutable();
    const contents = utf8(text);
    const sorted = sortedText(new Set<string>(references)) as StorePath[];
    this.#makeValid(
      writeFileObject(this.placeOf(path), contents, {
        path,
        references: sorted,
        ca: formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) }),
      }),
    );
    return path;
  }

  /** A place on the host for an object whose path is not known yet; see {@link TemporaryPlaces}. */
  #temporaryPlace(): string {
    this.checkMutable();
    this.addTempRoot(this.#temporaries.root);
    return this.placeOf(this.#temporaries.next());
  }

  /** Register now, or at the end of the batch. */
  #makeValid(info: PathInfo): void {
    const { own } = this.#batches;
    if (own !== undefined) return void own.infos.set(info.path, info);
    this.registerOutputs([info]);
    this.flush();
  }

  #importContext(): ImportStreamContext {
    return {
      realStoreDirectory: this.realStoreDirectory,
      placeOf: (path) => this.placeOf(path),
      isValid: (path) => this.isValid(path),
      validAmong: (paths) =>
        new Set([
          ...this.#layers.queries.validAmong(paths),
          ...paths.filter((path) => this.#batches.own?.infos.has(path) === true),
        ]),
      queryPathInfo: (path) => this.#layers.queries.pathInfo(path),
      addTempRoots: (paths) => this.addTempRoots(paths),
      temporaryPlace: () => this.#temporaryPlace(),
      takeCare: (files) => this.#care.take(files),
      register: (infos, places, choose) => this.#register(infos, { places, choose }),
      queryReferrers: (path) => this.#layers.queries.referrers(path),
      invalidate: (paths) => void this.invalidate(paths),
      flush: () => this.flushLater(),
    };
  }

  /** {@link #makeValid} that leaves the process free while it waits for the disk. The locks are held until then. */
  async #makeValidLater(info: PathInfo, locks: HeldLocks): Promise<void> {
    const { own } = this.#batches;
    if (own !== undefined) return this.#batches.keep(own, info, locks);
    await this.registerOutputsLater([info]);
    await this.flushLater();
    locks.release();
  }
}

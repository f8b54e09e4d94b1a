import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CodedError, fromUtf8, hashBytes, sortedText, utf8 } from "../../base/index.ts";
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
  checkNar,
  closureOf,
  ContentCheck,
  formatContentAddress,
  isDerivationPath,
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
import { dumpTree, removeTree, restoreNar, syncTrees, syncTreesLater } from "../files/index.ts";
import { type AddTreeOptions, addTree } from "./add-tree.ts";
import { Batches } from "./batches.ts";
import { type ClosureSource, closuresWithInfos, referencesOfMany } from "./closures.ts";
import { StoreDatabase } from "./database.ts";
import { FileCare } from "./file-care.ts";
import { readGcGraph } from "./gc-graph.ts";
import { addIndirectRoot, autoRootName, registerRoot } from "./gc-roots.ts";
import { invalidate } from "./invalidation.ts";
import { importInOrder, importMany, type ImportManyOptions } from "./import-many.ts";
import { importStream, type ImportStreamContext } from "./import-stream.ts";
import { defaultStoreRoot, isStoreWritable, makeDirectories, makeLayout, type StoreLayout } from "./layout.ts";
import { writeFileObject } from "./object-writer.ts";
import { type HeldLocks, type LockPathsOptions, lockRealPaths } from "./path-locks.ts";
import { type RecordedContents, StoreQueryTable } from "./queries.ts";
import { RealisationTable } from "./realisations.ts";
import { register } from "./registration.ts";
import { addSignatures } from "./signatures.ts";
import { acquireTempRoots, releaseTempRoots, type TempRoots } from "./temp-roots.ts";
import { TemporaryPlaces } from "./temporary-places.ts";
import { readWholeStore } from "./whole-store.ts";

export interface OpenLocalStoreOptions {
  /** `/`, or the folder of a chroot store, which has `nix/store` and `nix/var/nix` below it. Default {@link defaultStoreRoot}. */
  readonly root?: string | undefined;
  /** Only ask; nothing is made or locked, and a store that does not exist is an empty one. Default false. */
  readonly readOnly?: boolean | undefined;
  /** What is done to files before they are registered. Default as in {@link StoreSettings}. */
  readonly autoOptimise?: boolean | undefined;
  readonly ignoredAttributes?: readonly string[] | undefined;
}

/**
 * Open a store of this machine; it is made when it is not there.
 *
 * @throws {CodedError} `store.not-writable`, `store.schema-unsupported`, `store.no-flock`
 */
export function openLocalStore(options: OpenLocalStoreOptions = {}): LocalStore {
  return new LocalStore(makeLayout(options.root ?? defaultStoreRoot()), options);
}

interface RegisterOptions {
  readonly places?: ReadonlyMap<StorePath, string>;
  readonly choose?: (() => ReadonlySet<StorePath>) | undefined;
}

/** A store of this machine: files below its root and a database that real Nix reads and writes as well. */
export class LocalStore implements Store {
  readonly storeDirectory: string = STORE_DIRECTORY;
  readonly readOnly: boolean;
  readonly #layout: StoreLayout;
  readonly #care: FileCare;
  readonly #database: StoreDatabase;
  readonly #queries: StoreQueryTable;
  readonly #realisations: RealisationTable;
  readonly #derivations = new Map<StorePath, Derivation>();
  #inputs: InputHashes = makeInputHashes((path) => this.#readDerivationFile(path));
  readonly #temporaries = new TemporaryPlaces();
  /** Where objects are that are being registered and not yet where they belong. */
  #places: ReadonlyMap<StorePath, string> = new Map();
  #tempRoots: TempRoots | undefined;
  /** Objects of a batch that are written but not registered yet, and the locks on them. */
  readonly #batches = new Batches(() => this.registerOutputsLater([]));

  constructor(layout: StoreLayout, { readOnly = false, ...settings }: OpenLocalStoreOptions) {
    this.#layout = layout;
    this.readOnly = readOnly;
    this.#care = new FileCare(layout.realStoreDirectory, settings);
    this.#database = new StoreDatabase(layout, { readOnly });
    this.#queries = new StoreQueryTable(this.#database);
    this.#realisations = new RealisationTable(this.#database, layout.stateDirectory);
  }

  /** `/` or the folder of a chroot store. */
  get root(): string {
    return this.#layout.root;
  }

  get realStoreDirectory(): string {
    return this.#layout.realStoreDirectory;
  }

  get stateDirectory(): string {
    return this.#layout.stateDirectory;
  }

  /** The file of the database. */
  get databaseFile(): string {
    return join(this.#layout.stateDirectory, "db/db.sqlite");
  }

  get logDirectory(): string {
    return this.#layout.logDirectory;
  }

  /** Whether this process may change the store. */
  isWritable(): boolean {
    return isStoreWritable(this.#layout);
  }

  /** The place on the host of a path at or inside a store object. */
  realPath(path: string): string {
    return this.root === "/" ? path : this.root + path;
  }

  isValid(path: string): boolean {
    return this.#batches.own?.infos.has(path as StorePath) === true || this.#queries.idOf(path) !== undefined;
  }

  queryPathInfo(path: StorePath): PathInfo | undefined {
    return this.#batches.own?.infos.get(path) ?? this.#queries.pathInfo(path);
  }

  queryReferrers(path: StorePath): StorePath[] {
    return this.#queries.referrers(path);
  }

  /** What an output became that is addressed by its content, by the id of {@link realisationIds}. */
  queryRealisation(id: string): Realisation | undefined {
    return this.#realisations.find(id);
  }

  /** What was recorded of the derivations whose output an object is. */
  queryRealisationsOf(path: StorePath): Realisation[] {
    return this.#realisations.of(path);
  }

  /** Whether anything was recorded that {@link queryRealisation} could give. */
  get hasRealisations(): boolean {
    return this.#realisations.exists;
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
    return id === undefined ? undefined : this.#realisations.find(id)?.outPath;
  }

  /** Record what outputs became, all or none. @throws {CodedError} `store.not-valid`, `store.schema-unsupported` */
  addRealisations(realisations: readonly Realisation[]): void {
    this.#realisations.add(realisations);
  }

  /** Valid `.drv` files that promise this output; sorted. */
  queryValidDerivers(output: StorePath): StorePath[] {
    return this.#queries.validDerivers(output);
  }

  queryByDigest(digest: string): StorePath | undefined {
    return this.#queries.byDigest(digest);
  }

  /** All valid paths, sorted. */
  allPaths(): StorePath[] {
    return this.#queries.allPaths();
  }

  /** {@link allPaths} as one text, a path to a line: who only compares them saves a string for each. */
  allPathsText(): string {
    return this.#queries.allPathsText();
  }

  /** What was recorded of the contents of all objects, in no order. */
  allContents(): RecordedContents[] {
    return this.#queries.allContents();
  }

  /** {@link queryPathInfo} of all objects, sorted by path. */
  allPathInfos(): PathInfo[] {
    const whole = readWholeStore(this.#database, { withFacts: true });
    return whole.paths.map((_, number) => whole.info(number));
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
        realPath: (path) => this.realPath(path),
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
      if (!this.isValid(info.path)) removeTree(this.realPath(info.path));
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
    const real = this.realPath(info.path);
    // Only waiting for somebody else is worth interrupting: it is their lock file then, and none of ours stays behind.
    const waiting = { ...(signal === undefined ? {} : { signal }) };
    const locks = await this.#batches.lock(real, waiting);
    try {
      if (this.isValid(info.path)) {
        locks.release();
        return undefined;
      }
      removeTree(real);
      const check = new ContentCheck(info);
      const restored = await restoreNar(check.watch(nar), real);
      checkNar(info, restored);
      check.finish(restored.narHash);
      // Registration would refuse it too, with all that is registered together with it.
      if (isDerivationPath(info.path)) readDerivationAt(real, info.path);
      return locks;
    } catch (error) {
      removeTree(real);
      locks.release();
      throw error;
    }
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
    const files = this.#realPaths(all);
    this.#care.take(files);
    syncTrees(files, this.realStoreDirectory);
    this.#register(all);
  }

  /** {@link registerOutputs} that leaves the process free while it waits for the disk. */
  async registerOutputsLater(infos: readonly PathInfo[]): Promise<void> {
    const all = this.#withWaiting(infos);
    if (all.length === 0) return;
    const files = this.#realPaths(all);
    this.#care.take(files);
    await syncTreesLater(files, this.realStoreDirectory);
    this.#register(all);
  }

  /** Add signatures to valid objects; they are on disk afterwards. See {@link addSignatures}. */
  addSignatures(added: ReadonlyMap<StorePath, readonly string[]>): number {
    const count = addSignatures({ database: this.#database, queries: this.#queries }, added);
    this.flush();
    return count;
  }

  /** Keep a path, valid or about to be, from being collected while this process lives. */
  addTempRoot(path: string): void {
    this.addTempRoots([path]);
  }

  addTempRoots(paths: Iterable<string>): void {
    if (this.#tempRoots === undefined) {
      makeDirectories(this.#layout);
      this.#tempRoots = acquireTempRoots(this.stateDirectory);
    }
    this.#tempRoots.add(paths);
  }

  /** Lock store paths against other writers; `undefined` when one is taken and we do not wait. */
  lockPaths(paths: Iterable<string>, options: LockPathsOptions = {}): Promise<HeldLocks | undefined> {
    return lockRealPaths(
      [...paths].map((path) => this.realPath(path)),
      options,
    );
  }

  /** The graph of all valid objects, for a collection. */
  readGcGraph(): GcGraph {
    return readGcGraph(this.#database);
  }

  /** Make objects invalid before their files go; see `invalidate`. Only a collection may do that. */
  invalidate(paths: readonly StorePath[]): StorePath[] {
    return invalidate(this.#database, paths);
  }

  /** Those of many paths that are valid. */
  validAmong(paths: readonly string[]): Set<string> {
    return this.#queries.validAmong(paths);
  }

  /** Make the link `result` to a store path, in one step, and let it keep its target; see `addIndirectRoot`. */
  addIndirectRoot(link: string, target: string): void {
    makeDirectories(this.#layout);
    addIndirectRoot(this.#layout, link, target);
  }

  /** What stands for a link among the roots, once it is registered. */
  placeOfRoot(link: string): string {
    return join(this.#layout.stateDirectory, "gcroots/auto", autoRootName(link));
  }

  /** Let a link that exists keep its target. */
  registerRoot(link: string): void {
    makeDirectories(this.#layout);
    registerRoot(this.#layout, link);
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
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Objects of an open batch go first: what is registered now may refer to them. */
  #withWaiting(infos: readonly PathInfo[]): PathInfo[] {
    return [...(this.#batches.own?.infos.values() ?? []), ...infos];
  }

  #closureSource(): ClosureSource {
    return { database: this.#database, queries: this.#queries, waiting: this.#batches.own?.infos };
  }

  #realPaths(infos: readonly PathInfo[]): string[] {
    return infos.map((info) => this.realPath(info.path));
  }

  #register(infos: readonly PathInfo[], { places = new Map(), choose }: RegisterOptions = {}): void {
    this.#places = places;
    try {
      register(
        {
          database: this.#database,
          queries: this.#queries,
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
      this.#places = new Map();
    }
    const { own } = this.#batches;
    for (const info of infos) own?.infos.delete(info.path);
  }

  #readDerivationFile(path: StorePath): Derivation {
    let derivation = this.#derivations.get(path);
    if (derivation === undefined) {
      derivation = readDerivationAt(this.#places.get(path) ?? this.realPath(path), path);
      this.#derivations.set(path, derivation);
    }
    return derivation;
  }

  #addTextAt(path: StorePath, text: string, references: readonly StorePath[]): StorePath {
    this.addTempRoot(path);
    if (this.isValid(path)) return path;
    const contents = utf8(text);
    const sorted = sortedText(new Set<string>(references)) as StorePath[];
    this.#makeValid(
      writeFileObject(this.realPath(path), contents, {
        path,
        references: sorted,
        ca: formatContentAddress({ method: "text", hash: hashBytes("sha256", contents) }),
      }),
    );
    return path;
  }

  /** A place on the host for an object whose path is not known yet; see {@link TemporaryPlaces}. */
  #temporaryPlace(): string {
    this.addTempRoot(this.#temporaries.root);
    return this.realPath(this.#temporaries.next());
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
      realPath: (path) => this.realPath(path),
      isValid: (path) => this.isValid(path),
      validAmong: (paths) =>
        new Set([
          ...this.#queries.validAmong(paths),
          ...paths.filter((path) => this.#batches.own?.infos.has(path) === true),
        ]),
      queryPathInfo: (path) => this.#queries.pathInfo(path),
      addTempRoots: (paths) => this.addTempRoots(paths),
      temporaryPlace: () => this.#temporaryPlace(),
      takeCare: (files) => this.#care.take(files),
      register: (infos, places, choose) => this.#register(infos, { places, choose }),
      queryReferrers: (path) => this.#queries.referrers(path),
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

function readDerivationAt(place: string, path: StorePath): Derivation {
  return parseDerivation(fromUtf8(readFileSync(place)), derivationNameOf(path));
}

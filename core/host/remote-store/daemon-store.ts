import { CodedError } from "../../base/index.ts";
import {
  type ArrivingObject,
  checkRegistrable,
  closureOf,
  formatRealisation,
  notValid,
  parseRealisation,
  type PathInfo,
  type Realisation,
  type Store,
  STORE_DIRECTORY,
  type StorePath,
} from "../../store/index.ts";
import type { DerivedPath, LogMessage, WireBuildResult } from "../../store/wire/index.ts";
import type { Dial } from "./connection.ts";
import { Gatherer } from "./gather.ts";
import { addTextTo, checkOutgoing } from "./outgoing.ts";
import { ClientPool, RemoteRefusal } from "./pool.ts";
import { WorkerClient } from "./worker-client.ts";

export interface DaemonStoreOptions {
  /** Names the store in errors: `"unix:///…"`. */
  readonly where: string;
  readonly dial: Dial;
  /** Default 4. */
  readonly maxConnections?: number | undefined;
  /** What the daemon says while it works. */
  readonly log?: ((message: LogMessage) => void) | undefined;
}

/** A store behind a daemon: that of this machine by its socket, or that of another by ssh. */
export class DaemonStore implements Store, Disposable {
  readonly storeDirectory: string = STORE_DIRECTORY;
  readonly #where: string;
  readonly #pool: ClientPool<WorkerClient>;
  readonly #valid: Gatherer<StorePath, true>;
  readonly #infos: Gatherer<StorePath, PathInfo>;
  /** Paths that were valid when we looked, so that importing many objects does not ask for each reference again. */
  readonly #seen = new Set<StorePath>();

  constructor({ where, dial, log, maxConnections = 4 }: DaemonStoreOptions) {
    this.#where = where;
    this.#pool = new ClientPool(() => WorkerClient.connect({ where, dial, log }), maxConnections);
    this.#valid = new Gatherer(async (paths) => {
      const valid = await this.#pool.use((client) => client.queryValid(paths));
      for (const path of valid) this.#seen.add(path);
      return new Map(valid.map((path) => [path, true]));
    });
    this.#infos = new Gatherer(async (paths) => {
      const infos = await this.#pool.use((client) => client.queryInfos(paths));
      return new Map(infos.map((info) => [info.path, info]));
    });
  }

  /** What the daemon says of itself, and whether it takes our word (`undefined`: it does not say). */
  ping(): Promise<{ readonly serverName: string; readonly isTrusted: boolean | undefined }> {
    return this.#pool.use(async ({ serverName, isTrusted }) => ({ serverName, isTrusted }));
  }

  async isValid(path: StorePath): Promise<boolean> {
    return (await this.#valid.ask(path)) === true;
  }

  queryPathInfo(path: StorePath): Promise<PathInfo | undefined> {
    return this.#infos.ask(path);
  }

  queryByDigest(digest: string): Promise<StorePath | undefined> {
    return this.#pool.use((client) => client.queryByDigest(digest));
  }

  async queryReferrers(path: StorePath): Promise<StorePath[]> {
    // Nix's daemon fails for what is not valid.
    if (!(await this.isValid(path))) return [];
    return this.#pool.use((client) => client.queryPaths("queryReferrers", path));
  }

  queryValidDerivers(output: StorePath): Promise<StorePath[]> {
    return this.#pool.use((client) => client.queryPaths("queryValidDerivers", output));
  }

  allPaths(): Promise<StorePath[]> {
    return this.#pool.use((client) => client.queryAllValid());
  }

  /** Errors as `StoreGraph.closure`. The graph is asked for level by level, each in one go. */
  async closure(paths: Iterable<StorePath>): Promise<StorePath[]> {
    const starts = [...new Set(paths)];
    const infos = new Map<StorePath, PathInfo>();
    for (let open = starts; open.length > 0; ) {
      const found = await Promise.all(open.map((path) => this.queryPathInfo(path)));
      for (const [i, info] of found.entries()) {
        if (info === undefined) throw notValid(open[i] as StorePath);
        infos.set(info.path, info);
      }
      const next = new Set(found.flatMap((info) => info?.references ?? []));
      open = [...next].filter((path) => !infos.has(path));
    }
    return closureOf(starts, (path) => infos.get(path)?.references ?? []);
  }

  async *readNar(path: StorePath): AsyncGenerator<Uint8Array> {
    if (!(await this.isValid(path))) throw notValid(path);
    yield* this.#pool.stream((client) => client.readNar(path));
  }

  addText(name: string, contents: string, references: readonly StorePath[]): Promise<StorePath> {
    return addTextTo(this, name, contents, references);
  }

  /** Errors besides those of every store: `remote-store.refused` when the daemon does not trust us and nobody signed it. */
  async importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    if (await this.isValid(info.path)) return;
    const open = info.references.filter((path) => path !== info.path && !this.#seen.has(path));
    await Promise.all(open.map((path) => this.isValid(path)));
    checkRegistrable(info, (path) => this.#seen.has(path));
    await this.#pool.use((client) => client.add(info, checkOutgoing(info, nar)));
    this.#seen.add(info.path);
  }

  /**
   * Add many objects in one stream, references first; what is valid already has been left out. The daemon may keep those before
   * one that fails.
   *
   * @param count How many there are: the protocol wants to know beforehand.
   */
  async addMany(count: number, objects: AsyncIterable<ArrivingObject>): Promise<void> {
    async function* checked(): AsyncGenerator<ArrivingObject> {
      for await (const { info, nar } of objects) yield { info, nar: checkOutgoing(info, nar) };
    }
    if (count > 0) await this.#pool.use((client) => client.addMany(count, checked()));
  }

  addSignatures(path: StorePath, signatures: readonly string[]): Promise<void> {
    return this.#pool.use((client) => client.addSignatures(path, signatures));
  }

  /** What an output became that is addressed by its content; `undefined` also where the daemon does not know of such outputs. */
  async queryRealisation(id: string): Promise<Realisation | undefined> {
    try {
      const json = await this.#pool.use((client) => client.queryRealisation(id));
      if (json === undefined) return undefined;
      const realisation = parseRealisation(json, this.storeDirectory);
      if (realisation.id !== id) throw otherRealisation(this.#where, id, realisation.id);
      return realisation;
    } catch (error) {
      if (error instanceof RemoteRefusal) return undefined;
      throw error;
    }
  }

  /** @returns False when the daemon does not take it: from us, or at all. */
  async addRealisation(realisation: Realisation): Promise<boolean> {
    try {
      await this.#pool.use((client) => client.addRealisation(formatRealisation(realisation)));
      return true;
    } catch (error) {
      if (error instanceof RemoteRefusal) return false;
      throw error;
    }
  }

  /** Let the daemon make things valid; failures of builds are in the results. */
  build(wishes: readonly DerivedPath[]): Promise<{ readonly wanted: string; readonly result: WireBuildResult }[]> {
    return this.#pool.use((client) => client.build(wishes));
  }

  close(): void {
    this.#pool.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function otherRealisation(where: string, id: string, found: string): CodedError {
  return new CodedError(
    "remote-store.wrong-realisation",
    `Cannot use what the store ${where} says of "${id}": its answer is about "${found}"`,
  );
}

import { CodedError } from "../../base/index.ts";
import {
  checkRegistrable,
  closureOf,
  notValid,
  type PathInfo,
  STORE_DIRECTORY,
  type StorePath,
} from "../../store/index.ts";
import type { BasicDerivation, DerivedPath, WireBuildResult } from "../../store/wire/index.ts";
import type { Dial } from "./connection.ts";
import { Gatherer } from "./gather.ts";
import { addTextTo, checkOutgoing } from "./outgoing.ts";
import { ClientPool } from "./pool.ts";
import { type RemoteBuildSettings, ServeClient } from "./serve-client.ts";

export interface SshStoreOptions {
  /** Names the store in errors: `"ssh://host"`. */
  readonly where: string;
  readonly dial: Dial;
  /** Default 1: each one is a login of its own. */
  readonly maxConnections?: number | undefined;
}

/**
 * A store at the other end of a serve protocol connection: that of another machine, by ssh.
 *
 * The protocol cannot say which path has a digest, nor who refers to an object.
 */
export class SshStore implements Disposable {
  readonly storeDirectory: string = STORE_DIRECTORY;
  readonly #where: string;
  readonly #pool: ClientPool<ServeClient>;
  readonly #valid: Gatherer<StorePath, true>;
  readonly #infos: Gatherer<StorePath, PathInfo>;
  /** Paths that were valid when we looked, so that importing many objects does not ask for each reference again. */
  readonly #seen = new Set<StorePath>();

  constructor({ where, dial, maxConnections = 1 }: SshStoreOptions) {
    this.#where = where;
    this.#pool = new ClientPool(() => ServeClient.connect(where, dial), maxConnections);
    this.#valid = new Gatherer(async (paths) => {
      const valid = await this.#pool.use((client) => client.queryValid(paths, { lock: true }));
      for (const path of valid) this.#seen.add(path);
      return new Map(valid.map((path) => [path, true]));
    });
    this.#infos = new Gatherer(async (paths) => {
      const infos = await this.#pool.use((client) => client.queryInfos(paths));
      return new Map(infos.map((info) => [info.path, info]));
    });
  }

  async isValid(path: StorePath): Promise<boolean> {
    return (await this.#valid.ask(path)) === true;
  }

  queryPathInfo(path: StorePath): Promise<PathInfo | undefined> {
    return this.#infos.ask(path);
  }

  /** @throws {CodedError} `remote-store.unsupported`, always. */
  async queryByDigest(digest: string): Promise<StorePath | undefined> {
    throw new CodedError(
      "remote-store.unsupported",
      `Cannot look up "${digest}" in the store ${this.#where}: its protocol has no question for it`,
      { hint: "Name the whole store path." },
    );
  }

  /** Errors as `StoreGraph.closure`. */
  async closure(paths: Iterable<StorePath>): Promise<StorePath[]> {
    const starts = [...new Set(paths)];
    for (const [i, valid] of (await Promise.all(starts.map((path) => this.isValid(path)))).entries())
      if (!valid) throw notValid(starts[i] as StorePath);
    const closure = await this.#pool.use((client) => client.queryClosure(starts));
    const infos = new Map(
      (await Promise.all(closure.map((path) => this.queryPathInfo(path)))).map((info) => [info?.path, info]),
    );
    return closureOf(starts, (path) => {
      const info = infos.get(path);
      if (info === undefined) throw notValid(path);
      return info.references;
    });
  }

  async *readNar(path: StorePath): AsyncGenerator<Uint8Array> {
    if (!(await this.isValid(path))) throw notValid(path);
    yield* this.#pool.stream((client) => client.readNar(path));
  }

  addText(name: string, contents: string, references: readonly StorePath[]): Promise<StorePath> {
    return addTextTo(this, name, contents, references);
  }

  async importNar(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    if (await this.isValid(info.path)) return;
    await this.#checkRegistrable(info);
    await this.#pool.use((client) => client.add(info, checkOutgoing(info, nar)));
    this.#seen.add(info.path);
  }

  /** Build at the other end. @throws {CodedError} `remote-store.build-failed` */
  build(wishes: readonly DerivedPath[], settings: RemoteBuildSettings = {}): Promise<void> {
    return this.#pool.use((client) => client.buildPaths(wishes, settings));
  }

  /** Build one derivation at the other end; its inputs have to be there, the `.drv` file need not. */
  buildDerivation(
    drvPath: StorePath,
    derivation: BasicDerivation,
    settings: RemoteBuildSettings = {},
  ): Promise<WireBuildResult> {
    return this.#pool.use((client) => client.buildDerivation(drvPath, derivation, settings));
  }

  close(): void {
    this.#pool.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What the server could only end the connection for. */
  async #checkRegistrable(info: PathInfo): Promise<void> {
    const open = info.references.filter((path) => path !== info.path && !this.#seen.has(path));
    await Promise.all(open.map((path) => this.isValid(path)));
    checkRegistrable(info, (path) => this.#seen.has(path));
  }
}

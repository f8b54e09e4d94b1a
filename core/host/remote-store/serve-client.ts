import { CodedError } from "../../base/index.ts";
import type { PathInfo, StorePath } from "../../store/index.ts";
import {
  type BasicDerivation,
  type DerivedPath,
  formatPathWithOutputs,
  readBuildResult,
  readServePathInfo,
  SERVE_CLIENT_MAGIC,
  SERVE_OPERATION,
  SERVE_SERVER_MAGIC,
  SERVE_VERSION,
  serveBuildResultParts,
  type WireBuildResult,
  type WireReader,
  type WireWriter,
  writeBasicDerivation,
  writePathInfo,
} from "../../store/wire/index.ts";
import { type Connection, type Dial, talkOver } from "./connection.ts";
import { explainFailure } from "./outgoing.ts";
import type { PooledClient } from "./pool.ts";

/** The oldest servers: path infos with hashes, and objects that are added one by one. */
const OLDEST_MINOR = 5;
/** The path infos that follow opcode 9 are those of the worker protocol's version 1.16 and later. */
const INFO_MINOR = 16;

/** How a build at the other end is meant. */
export interface RemoteBuildSettings {
  readonly maxSilentSeconds?: number | undefined;
  readonly timeoutSeconds?: number | undefined;
  readonly maxLogBytes?: number | undefined;
  readonly keepFailed?: boolean | undefined;
}

/**
 * One connection to a server of the serve protocol. The server cannot say what went wrong: after any failure the connection is
 * of no more use.
 */
export class ServeClient implements PooledClient {
  readonly #where: string;
  readonly #connection: Connection;
  readonly #reader: WireReader;
  readonly #writer: WireWriter;
  readonly #minor: number;

  private constructor(where: string, connection: Connection, talk: ReturnType<typeof talkOver>, minor: number) {
    this.#where = where;
    this.#connection = connection;
    this.#reader = talk.reader;
    this.#writer = talk.writer;
    this.#minor = minor;
  }

  /**
   * @param where Names the store in errors.
   * @throws {CodedError} `remote-store.lost`, `remote-store.not-understood`
   */
  static async connect(where: string, dial: Dial): Promise<ServeClient> {
    const connection = await dial();
    try {
      const talk = talkOver(connection);
      await talk.writer.number(SERVE_CLIENT_MAGIC).number(SERVE_VERSION).flush();
      const magic = await talk.reader.number();
      if (magic !== SERVE_SERVER_MAGIC) throw notUnderstood(where, "it speaks another protocol");
      const version = await talk.reader.number();
      if (version >> 8 !== SERVE_VERSION >> 8 || (version & 255) < OLDEST_MINOR)
        throw notUnderstood(where, `it speaks version ${version >> 8}.${version & 255}`);
      return new ServeClient(where, connection, talk, Math.min(version & 255, SERVE_VERSION & 255));
    } catch (error) {
      const explained = await explainFailure(where, error, connection);
      connection.close();
      throw explained;
    }
  }

  /** The valid ones among the paths. @param lock Keep them from being collected while we are connected. */
  async queryValid(paths: readonly StorePath[], { lock = false } = {}): Promise<StorePath[]> {
    return this.#talk(async () => {
      await this.#writer.number(SERVE_OPERATION.queryValidPaths).bool(lock).bool(false).set(paths).flush();
      return this.#reader.paths();
    });
  }

  async queryInfos(paths: readonly StorePath[]): Promise<PathInfo[]> {
    return this.#talk(async () => {
      await this.#writer.number(SERVE_OPERATION.queryPathInfos).set(paths).flush();
      const infos: PathInfo[] = [];
      for (let path = await this.#reader.optionalPath(); path !== undefined; path = await this.#reader.optionalPath())
        infos.push(await readServePathInfo(this.#reader, path));
      return infos;
    });
  }

  /** In no useful order. */
  async queryClosure(paths: readonly StorePath[]): Promise<StorePath[]> {
    return this.#talk(async () => {
      await this.#writer.number(SERVE_OPERATION.queryClosure).bool(false).set(paths).flush();
      return this.#reader.paths();
    });
  }

  /** The archive of a valid object; read it to its end. */
  async *readNar(path: StorePath): AsyncGenerator<Uint8Array> {
    try {
      this.#reader.forget();
      await this.#writer.number(SERVE_OPERATION.dumpStorePath).text(path).flush();
      yield* this.#reader.nar();
    } catch (error) {
      throw await explainFailure(this.#where, error, this.#connection);
    }
  }

  /** @param nar Exactly as many bytes as `info` says. */
  async add(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#talk(async () => {
      this.#writer.number(SERVE_OPERATION.addToStoreNar).text(info.path);
      writePathInfo(this.#writer, info, INFO_MINOR);
      await this.#writer.raw(nar);
      await this.#writer.flush();
      await this.#reader.number();
    });
  }

  /** @throws {CodedError} `remote-store.build-failed` */
  async buildPaths(wishes: readonly DerivedPath[], settings: RemoteBuildSettings): Promise<void> {
    const failure = await this.#talk(async () => {
      this.#writer.number(SERVE_OPERATION.buildPaths).texts(wishes.map(formatPathWithOutputs));
      this.#writeSettings(settings);
      await this.#writer.flush();
      const status = await this.#reader.number();
      return status === 0 ? undefined : this.#reader.text();
    });
    if (failure === undefined) return;
    throw new CodedError("remote-store.build-failed", `Cannot build in the store ${this.#where}: ${failure}`);
  }

  async buildDerivation(
    drvPath: StorePath,
    derivation: BasicDerivation,
    settings: RemoteBuildSettings,
  ): Promise<WireBuildResult> {
    return this.#talk(async () => {
      this.#writer.number(SERVE_OPERATION.buildDerivation).text(drvPath);
      writeBasicDerivation(this.#writer, derivation);
      this.#writeSettings(settings);
      await this.#writer.flush();
      return readBuildResult(this.#reader, serveBuildResultParts(this.#minor));
    });
  }

  close(): void {
    this.#connection.close();
  }

  #writeSettings({ maxSilentSeconds, timeoutSeconds, maxLogBytes, keepFailed }: RemoteBuildSettings): void {
    this.#writer
      .number(maxSilentSeconds ?? 0)
      .number(timeoutSeconds ?? 0)
      .number(maxLogBytes ?? 0)
      // Built once; differences do not matter.
      .number(0)
      .number(0);
    if (this.#minor >= 7) this.#writer.bool(keepFailed === true);
  }

  /** One question and its answer. */
  async #talk<T>(run: () => Promise<T>): Promise<T> {
    try {
      this.#reader.forget();
      return await run();
    } catch (error) {
      throw await explainFailure(this.#where, error, this.#connection);
    }
  }
}

function notUnderstood(where: string, found: string): CodedError {
  return new CodedError(
    "remote-store.not-understood",
    `Cannot talk to the store ${where}: ${found}, expected the serve protocol 2.${OLDEST_MINOR} or later`,
  );
}

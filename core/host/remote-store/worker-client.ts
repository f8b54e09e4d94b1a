import { CodedError } from "../../base/index.ts";
import type { ArrivingObject, PathInfo, StorePath } from "../../store/index.ts";
import {
  BUILD_MODE,
  type DerivedPath,
  formatDerivedPath,
  type LogMessage,
  readBuildResult,
  readLogMessage,
  readPathInfo,
  type WireBuildResult,
  type WireReader,
  type WireWriter,
  WORKER_CLIENT_MAGIC,
  WORKER_OPERATION,
  WORKER_SERVER_MAGIC,
  WORKER_TRUST,
  WORKER_VERSION,
  workerBuildResultParts,
  writePathInfo,
} from "../../store/wire/index.ts";
import { type Connection, type Dial, talkOver } from "./connection.ts";
import { explainFailure } from "./outgoing.ts";
import { type PooledClient, RemoteRefusal } from "./pool.ts";

/** The oldest servers: framed data, whole derived paths, results of builds. */
const OLDEST_MINOR = 34;
/** Path infos that are sent with archives are always of this version. */
const STREAM_INFO_MINOR = 16;
/** Questions sent before their answers are read. Their bytes fit into the buffers of a socket, so nobody waits for the other. */
const AHEAD = 64;

export interface WorkerClientOptions {
  /** Names the store in errors. */
  readonly where: string;
  readonly dial: Dial;
  /** What the server says while it works. */
  readonly log?: ((message: LogMessage) => void) | undefined;
}

/** One connection to a server of the worker protocol: Nix's daemon, or ours. */
export class WorkerClient implements PooledClient {
  readonly #where: string;
  readonly #log: (message: LogMessage) => void;
  readonly #connection: Connection;
  readonly #reader: WireReader;
  readonly #writer: WireWriter;
  #minor = 0;
  #serverName = "";
  #isTrusted: boolean | undefined;

  private constructor({ where, log }: WorkerClientOptions, connection: Connection) {
    this.#where = where;
    this.#log = log ?? (() => {});
    this.#connection = connection;
    const { reader, writer } = talkOver(connection);
    this.#reader = reader;
    this.#writer = writer;
  }

  /** @throws {CodedError} `remote-store.lost`, `remote-store.unreachable`, `remote-store.not-understood`, `remote-store.refused` */
  static async connect(options: WorkerClientOptions): Promise<WorkerClient> {
    const client = new WorkerClient(options, await options.dial());
    try {
      await client.#shakeHands();
      return client;
    } catch (error) {
      const explained = await explainFailure(options.where, error, client.#connection);
      client.close();
      throw explained;
    }
  }

  /** What the server calls itself. */
  get serverName(): string {
    return this.#serverName;
  }

  /** Whether the server takes our word; `undefined` when it does not say. */
  get isTrusted(): boolean | undefined {
    return this.#isTrusted;
  }

  isValid(path: StorePath): Promise<boolean> {
    return this.#ask(
      () => this.#operation("isValidPath").text(path),
      () => this.#reader.bool(),
    );
  }

  queryValid(paths: readonly StorePath[]): Promise<StorePath[]> {
    return this.#ask(
      () => this.#operation("queryValidPaths").set(paths).bool(false),
      () => this.#reader.paths(),
    );
  }

  /** Many questions at once, so that the way there and back counts once. Only what is valid is answered. */
  async queryInfos(paths: readonly StorePath[]): Promise<PathInfo[]> {
    const infos: PathInfo[] = [];
    for (let at = 0; at < paths.length; at += AHEAD) {
      const part = paths.slice(at, at + AHEAD);
      await this.#talk(async () => {
        for (const path of part) this.#operation("queryPathInfo").text(path);
        await this.#writer.flush();
        for (const path of part) {
          this.#reader.forget();
          await this.#awaitLast();
          if (await this.#reader.bool()) infos.push(await readPathInfo(this.#reader, path, this.#minor));
        }
      });
    }
    return infos;
  }

  queryByDigest(digest: string): Promise<StorePath | undefined> {
    return this.#ask(
      () => this.#operation("queryPathFromHashPart").text(digest),
      () => this.#reader.optionalPath(),
    );
  }

  queryPaths(
    operation: "queryReferrers" | "queryValidDerivers" | "queryDerivationOutputs",
    path: StorePath,
  ): Promise<StorePath[]> {
    return this.#ask(
      () => this.#operation(operation).text(path),
      () => this.#reader.paths(),
    );
  }

  queryAllValid(): Promise<StorePath[]> {
    return this.#ask(
      () => this.#operation("queryAllValidPaths"),
      () => this.#reader.paths(),
    );
  }

  addTempRoot(path: StorePath): Promise<void> {
    return this.#ask(
      () => this.#operation("addTempRoot").text(path),
      async () => void (await this.#reader.number()),
    );
  }

  /** The archive of a valid object; read it to its end. */
  async *readNar(path: StorePath): AsyncGenerator<Uint8Array> {
    try {
      this.#reader.forget();
      await this.#operation("narFromPath").text(path).flush();
      await this.#awaitLast();
      yield* this.#reader.nar();
    } catch (error) {
      throw await explainFailure(this.#where, error, this.#connection);
    }
  }

  /** Signatures are not asked for, if the server trusts us. */
  add(info: PathInfo, nar: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#talk(async () => {
      this.#operation("addToStoreNar").text(info.path);
      writePathInfo(this.#writer, info, STREAM_INFO_MINOR);
      this.#writer.bool(false).bool(true);
      await this.#sendFrames((inner, isRefused) => inner.raw(until(isRefused, nar)));
    });
  }

  /** As {@link add}, for many objects in one stream, references first. */
  addMany(count: number, objects: AsyncIterable<ArrivingObject>): Promise<void> {
    return this.#talk(async () => {
      this.#operation("addMultipleToStore").bool(false).bool(true);
      await this.#sendFrames(async (inner, isRefused) => {
        inner.number(count);
        for await (const { info, nar } of objects) {
          if (isRefused()) return;
          inner.text(info.path);
          writePathInfo(inner, info, STREAM_INFO_MINOR);
          await inner.raw(until(isRefused, nar));
        }
      });
    });
  }

  /** The server may fail at once, or say things: it is listened to while we send. */
  async #sendFrames(write: (inner: WireWriter, isRefused: () => boolean) => Promise<void>): Promise<void> {
    let failure: { readonly error: unknown } | undefined;
    const answer = this.#awaitLast().catch((error: unknown) => {
      failure = { error };
    });
    await this.#writer.frames((inner) => write(inner, () => failure !== undefined));
    await this.#writer.flush();
    await answer;
    if (failure !== undefined) throw failure.error;
  }

  addSignatures(path: StorePath, signatures: readonly string[]): Promise<void> {
    return this.#ask(
      () => this.#operation("addSignatures").text(path).set(signatures),
      async () => void (await this.#reader.number()),
    );
  }

  /** What an output became, as JSON. */
  queryRealisation(id: string): Promise<string | undefined> {
    return this.#ask(
      () => this.#operation("queryRealisation").text(id),
      async () => (await this.#reader.texts())[0],
    );
  }

  addRealisation(json: string): Promise<void> {
    return this.#ask(
      () => this.#operation("registerDrvOutput").text(json),
      async () => {},
    );
  }

  build(wishes: readonly DerivedPath[]): Promise<{ readonly wanted: string; readonly result: WireBuildResult }[]> {
    return this.#ask(
      () => this.#operation("buildPathsWithResults").texts(wishes.map(formatDerivedPath)).number(BUILD_MODE.normal),
      () =>
        this.#reader.list(async () => ({
          wanted: await this.#reader.text(),
          result: await readBuildResult(this.#reader, workerBuildResultParts(this.#minor)),
        })),
    );
  }

  close(): void {
    this.#connection.close();
  }

  async #shakeHands(): Promise<void> {
    const [reader, writer] = [this.#reader, this.#writer];
    await writer.number(WORKER_CLIENT_MAGIC).flush();
    if ((await reader.number()) !== WORKER_SERVER_MAGIC) throw notUnderstood(this.#where, "it speaks another protocol");
    const version = await reader.number();
    if (version >> 8 !== WORKER_VERSION >> 8 || (version & 255) < OLDEST_MINOR)
      throw notUnderstood(this.#where, `it speaks version ${version >> 8}.${version & 255}`);
    this.#minor = Math.min(version & 255, WORKER_VERSION & 255);
    writer.number(WORKER_VERSION);
    if (this.#minor >= 38) {
      await writer.texts([]).flush();
      await reader.texts();
    }
    // Neither a processor to run on nor space to set aside.
    await writer.number(0).number(0).flush();
    this.#serverName = await reader.text();
    const trust = this.#minor >= 35 ? await reader.number(WORKER_TRUST.untrusted) : WORKER_TRUST.unknown;
    this.#isTrusted = trust === WORKER_TRUST.unknown ? undefined : trust === WORKER_TRUST.trusted;
    await this.#awaitLast();
  }

  #operation(name: keyof typeof WORKER_OPERATION): WireWriter {
    return this.#writer.number(WORKER_OPERATION[name]);
  }

  #ask<T>(write: () => WireWriter, read: () => Promise<T>): Promise<T> {
    return this.#talk(async () => {
      await write().flush();
      await this.#awaitLast();
      return read();
    });
  }

  async #talk<T>(run: () => Promise<T>): Promise<T> {
    try {
      this.#reader.forget();
      return await run();
    } catch (error) {
      throw await explainFailure(this.#where, error, this.#connection);
    }
  }

  /** Listen until the server has done what it was asked. @throws {RemoteRefusal} when it has failed */
  async #awaitLast(): Promise<void> {
    for (;;) {
      const message = await readLogMessage(this.#reader, this.#minor);
      if (message.kind === "last") return;
      if (message.kind === "error") throw new RemoteRefusal(this.#where, message.message);
      this.#log(message);
      this.#reader.forget();
    }
  }
}

/** The pieces, as long as it makes sense to send them. */
async function* until(isOver: () => boolean, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    if (isOver()) return;
    yield piece;
  }
}

function notUnderstood(where: string, found: string): CodedError {
  return new CodedError(
    "remote-store.not-understood",
    `Cannot talk to the store ${where}: ${found}, expected the worker protocol 1.${OLDEST_MINOR} or later`,
  );
}

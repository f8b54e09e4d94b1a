import { CodedError, sortedText } from "../../base/index.ts";
import { exportPaths, importPaths, isDerivationPath, notValid, type StorePath } from "../../store/index.ts";
import {
  parsePathWithOutputs,
  readBasicDerivation,
  readPathInfo,
  SERVE_CLIENT_MAGIC,
  SERVE_OPERATION,
  SERVE_SERVER_MAGIC,
  SERVE_VERSION,
  serveBuildResultParts,
  WireReader,
  type WireOutput,
  WireWriter,
  writeBuildResult,
  writeServePathInfo,
} from "../../store/wire/index.ts";
import { derivationNameOf } from "../../derivation/index.ts";
import { failureText } from "./failure.ts";
import { firstFailure, invalid, realise } from "./realise.ts";
import type { ClientSettings, StoreServices } from "./served-store.ts";
import { Spool } from "./spool.ts";
import { only, takeIn } from "./take-in.ts";

export interface ServeConnectionOptions {
  readonly services: StoreServices;
  /** What the client sends; pieces must stay as they are. */
  readonly input: AsyncIterable<Uint8Array>;
  readonly output: WireOutput;
  /** Whether the client may add and build. Default false. */
  readonly write?: boolean;
  /** Where logs of builds go: the protocol has no place for them. */
  readonly log?: (line: string) => void;
  /** Aborted when the client is gone: builds for it end. */
  readonly signal?: AbortSignal;
}

/** The path infos that follow opcode 9 are those of the worker protocol's version 1.16 and later. */
const INFO_MINOR = 16;

/**
 * Answer one client of the serve protocol, as `nix-store --serve` does, until it hangs up. `response` bytes of a transcript
 * are what `output` gets for its `request` bytes in `input`.
 *
 * @throws {CodedError} what went wrong: the protocol cannot tell failures, so the connection ends. `store-server.handshake`,
 *   `store-server.unknown-operation`, `store-server.read-only`, those of reading (`wire.…`) and of the operation.
 */
export async function runServeConnection(options: ServeConnectionOptions): Promise<void> {
  const connection = new ServeConnection(options);
  await connection.shakeHands();
  while (await connection.answer());
}

class ServeConnection {
  readonly #options: ServeConnectionOptions;
  readonly #services: StoreServices;
  readonly #reader: WireReader;
  readonly #writer: WireWriter;
  #minor = 0;

  constructor(options: ServeConnectionOptions) {
    this.#options = options;
    this.#services = options.services;
    this.#reader = new WireReader(options.input, { storeDirectory: options.services.store.storeDirectory });
    this.#writer = new WireWriter(options.output);
  }

  async shakeHands(): Promise<void> {
    const magic = await this.#reader.number();
    if (magic !== SERVE_CLIENT_MAGIC) throw handshake(`it begins with 0x${magic.toString(16)}`);
    // The answer comes before the client's version does.
    await this.#writer.number(SERVE_SERVER_MAGIC).number(SERVE_VERSION).flush();
    const version = await this.#reader.number();
    if (version >> 8 !== SERVE_VERSION >> 8) throw handshake(`it speaks version ${version >> 8}.${version & 255}`);
    this.#minor = Math.min(version & 255, SERVE_VERSION & 255);
  }

  /** @returns Whether there was something to answer. */
  async answer(): Promise<boolean> {
    if (!(await this.#reader.begin())) return false;
    await this.#perform(await this.#reader.number());
    await this.#writer.flush();
    return true;
  }

  async #perform(operation: number): Promise<void> {
    switch (operation) {
      case SERVE_OPERATION.queryValidPaths:
        return this.#queryValidPaths();
      case SERVE_OPERATION.queryPathInfos:
        return this.#queryPathInfos();
      case SERVE_OPERATION.dumpStorePath:
        return this.#dumpStorePath();
      case SERVE_OPERATION.importPaths:
        return this.#importPaths();
      case SERVE_OPERATION.exportPaths:
        return this.#exportPaths();
      case SERVE_OPERATION.buildPaths:
        return this.#buildPaths();
      case SERVE_OPERATION.queryClosure:
        return this.#queryClosure();
      case SERVE_OPERATION.buildDerivation:
        return this.#buildDerivation();
      case SERVE_OPERATION.addToStoreNar:
        return this.#addToStoreNar();
      default:
        throw new CodedError(
          "store-server.unknown-operation",
          `Cannot answer the client: there is no operation ${operation} in the serve protocol`,
        );
    }
  }

  async #queryValidPaths(): Promise<void> {
    const lock = await this.#reader.bool();
    const substitute = await this.#reader.bool();
    const paths = await this.#reader.paths();
    const { store } = this.#services;
    if (lock && store.readOnly !== true) for (const path of paths) store.addTempRoot(path);
    // Who may only read cannot make us write.
    const { substitute: fetch } = this.#services;
    if (substitute && this.#options.write === true && fetch !== undefined) {
      const missing = await invalid(store, paths);
      if (missing.length > 0) await fetch(missing, { signal: this.#options.signal });
    }
    const missing = new Set(await invalid(store, paths));
    this.#writer.set(paths.filter((path) => !missing.has(path)));
  }

  async #queryPathInfos(): Promise<void> {
    for (const path of sortedText(await this.#reader.paths()) as StorePath[]) {
      const info = await this.#services.store.queryPathInfo(path);
      if (info === undefined) continue;
      writeServePathInfo(this.#writer, info, this.#minor);
      if (this.#writer.waitingBytes > 1024 * 1024) await this.#writer.flush();
    }
    this.#writer.text("");
  }

  async #dumpStorePath(): Promise<void> {
    const path = await this.#reader.path();
    if (!(await this.#services.store.isValid(path))) throw notValid(path);
    await this.#writer.raw(this.#services.store.readNar(path));
  }

  async #importPaths(): Promise<void> {
    this.#mayWrite("import");
    const { store } = this.#services;
    if (store.importStream !== undefined) await store.importStream(this.#reader);
    else {
      using spool = new Spool();
      await importPaths(store, this.#reader, spool);
    }
    this.#writer.number(1);
  }

  async #exportPaths(): Promise<void> {
    await this.#reader.number();
    const paths = await this.#reader.paths();
    await this.#writer.raw(exportPaths(this.#services.store, paths));
  }

  async #queryClosure(): Promise<void> {
    const includeOutputs = await this.#reader.bool();
    const paths = await this.#reader.paths();
    const { store } = this.#services;
    const found = new Set(await store.closure(paths));
    if (includeOutputs) {
      // A set may be added to while it is walked: outputs bring their own closures, which may hold derivations again.
      for (const path of found) {
        if (!isDerivationPath(path)) continue;
        for (const output of Object.values(store.readDerivation(path).outputs)) {
          const outputPath = output.path as StorePath;
          if (output.path === "" || found.has(outputPath) || !(await store.isValid(outputPath))) continue;
          for (const each of await store.closure([outputPath])) found.add(each);
        }
      }
    }
    this.#writer.set(found);
  }

  async #buildPaths(): Promise<void> {
    const texts = await this.#reader.texts();
    const settings = await this.#buildSettings();
    this.#mayWrite("build");
    const wishes = texts.map((text) => parsePathWithOutputs(text, this.#services.store.storeDirectory));
    const error = firstFailure(await realise(this.#services, wishes, { ...this.#realiseOptions(), settings }));
    if (error === undefined) this.#writer.number(0);
    else this.#writer.number(error.exitCode ?? 1).text(failureText(error));
  }

  async #buildDerivation(): Promise<void> {
    const drvPath = await this.#reader.path();
    const basic = await readBasicDerivation(this.#reader);
    const settings = await this.#buildSettings();
    this.#mayWrite("build");
    const drv = { ...basic, name: derivationNameOf(drvPath), inputDerivations: new Map() };
    const [realised] = await realise(this.#services, [{ kind: "outputs", drvPath, outputs: "all" }], {
      ...this.#realiseOptions(),
      settings,
      derivations: new Map([[drvPath, drv]]),
    });
    if (realised !== undefined) writeBuildResult(this.#writer, realised.result, serveBuildResultParts(this.#minor));
  }

  async #addToStoreNar(): Promise<void> {
    this.#mayWrite("add");
    const path = await this.#reader.path();
    const info = await readPathInfo(this.#reader, path, INFO_MINOR);
    await takeIn(this.#services, only(info, this.#reader.raw(info.narSize)), { checkSignatures: false });
    this.#writer.number(1);
  }

  async #buildSettings(): Promise<ClientSettings> {
    const reader = this.#reader;
    const maxSilentSeconds = await reader.number();
    const timeoutSeconds = await reader.number();
    const maxLogBytes = this.#minor >= 2 ? await reader.number() : 0;
    if (this.#minor >= 3) {
      // How often to build again, and whether differences are failures: no version does either any more.
      await reader.number();
      await reader.number();
    }
    const keepFailed = this.#minor >= 7 && (await reader.bool());
    return { keepFailed, keepGoing: false, maxSilentSeconds, timeoutSeconds, maxLogBytes, substitute: true };
  }

  #realiseOptions() {
    const log = this.#options.log ?? (() => {});
    return {
      rebuild: false,
      signal: this.#options.signal,
      events: (event: Parameters<NonNullable<Parameters<typeof realise>[2]["events"]>>[0]) => {
        if (event.kind === "log-line") log(event.line);
        else if (event.kind === "notice") log(event.message);
      },
    };
  }

  #mayWrite(what: string): void {
    if (this.#options.write === true) return;
    throw new CodedError("store-server.read-only", `Cannot ${what}: the client may only read`, {
      hint: "Start the server with --write to let its clients add and build.",
    });
  }
}

function handshake(found: string): CodedError {
  return new CodedError(
    "store-server.handshake",
    `Cannot talk to the client: ${found}, expected a client of the serve protocol 2.x`,
  );
}

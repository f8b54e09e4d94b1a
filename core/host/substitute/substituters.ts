import { CodedError } from "../../base/index.ts";
import type { Offer } from "../../build/index.ts";
import { showUrl } from "../../fetch/index.ts";
import {
  type NarInfo,
  type PathInfo,
  type PublicKey,
  type Realisation,
  STORE_DIRECTORY,
  type StorePath,
} from "../../store/index.ts";
import { isCacheFault } from "../binary-cache/index.ts";
import { type Believed, checkAnswer, checkRealisation } from "./check-answer.ts";
import { withDeadline } from "./deadline.ts";
import { guardArchive } from "./guard-archive.ts";
import type { Substituter, SubstituterSource } from "./substituter.ts";

export interface SubstitutersOptions {
  readonly sources: readonly SubstituterSource[];
  readonly trustedKeys: readonly PublicKey[];
  /** Default true. */
  readonly requireSignatures?: boolean | undefined;
  /** Tell people what is wrong with a store; each kind of trouble is told once per store. */
  readonly warn: (message: string) => void;
  /** A store that has not answered after this time is given up. Default 20 s. */
  readonly answerTimeoutMs?: number | undefined;
  /** A transfer that brought nothing for this time is given up. Default 60 s. */
  readonly stallTimeoutMs?: number | undefined;
  /** Called at the end, when all stores are closed. */
  readonly closed?: (() => void) | undefined;
}

/** Questions that wait for answers at the same time. */
const QUESTIONS_AT_ONCE = 64;

/**
 * Stores that objects may be taken from, asked in the order of their priorities.
 *
 * A store that is down, slow or lies is a store that does not have the object: it costs one warning and never an error. Only
 * what is addressed by its content or signed by a trusted key is offered.
 */
export class Substituters {
  readonly #options: SubstitutersOptions;
  readonly #given = new Set<string>();
  readonly #warned = new Set<string>();
  #opened: Promise<Substituter[]> | undefined;

  constructor(options: SubstitutersOptions) {
    this.#options = options;
  }

  /** Whether there is anybody to ask. */
  get isEmpty(): boolean {
    return this.#options.sources.length === 0;
  }

  /** Who has which of the paths; the first trustworthy store counts. Paths that nobody has are left out. */
  async query(paths: readonly StorePath[]): Promise<Map<StorePath, Offer>> {
    const offers = new Map<StorePath, Offer>();
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let path = paths[next++]; path !== undefined; path = paths[next++]) {
        const offer = await this.find(path);
        if (offer !== undefined) offers.set(path, offer);
      }
    };
    await Promise.all(Array.from({ length: Math.min(QUESTIONS_AT_ONCE, paths.length) }, worker));
    return offers;
  }

  /** The first store that has a path, besides those named in `except`. */
  async find(path: StorePath, except: ReadonlySet<string> = new Set()): Promise<Offer | undefined> {
    for (const substituter of await this.#open()) {
      if (except.has(substituter.url) || this.#given.has(substituter.url)) continue;
      const info = await this.#ask(substituter, path);
      if (info === undefined) continue;
      const { fileSize } = info as NarInfo;
      return { info, from: substituter.url, ...(fileSize === undefined ? {} : { downloadSize: fileSize }) };
    }
    return undefined;
  }

  /**
   * The archive of an object that was offered. It ends with an error when it is longer than the offer says, or stalls.
   *
   * A store that cannot be reached any more is left out from then on.
   *
   * @throws {CodedError} `substitute.too-long`, `substitute.stalled`, `substitute.left-out`, and whatever the store raises
   */
  async *readNar({ info, from }: Offer): AsyncGenerator<Uint8Array> {
    const substituter = (await this.#open()).find(({ url }) => url === from);
    if (substituter === undefined)
      throw new CodedError("substitute.unknown-store", `Cannot fetch "${info.path}": the store "${from}" is not open`);
    if (this.#given.has(from))
      throw new CodedError(
        "substitute.left-out",
        `Cannot fetch "${info.path}": the store "${showUrl(from)}" was left out`,
      );
    const archive = substituter.readArchive?.(info) ?? substituter.store.readNar(info.path);
    try {
      yield* guardArchive(archive, {
        path: info.path,
        sizeBytes: info.narSize,
        stallTimeoutMs: this.#options.stallTimeoutMs ?? 60_000,
      });
    } catch (error) {
      // Every other transfer would wait as long for it.
      if (codeOf(error) === "cache.unreachable") this.giveUp(from, error);
      throw error;
    }
  }

  /** What an output became that is addressed by its content, from the first store that has it and is believed. */
  async findRealisation(id: string): Promise<Realisation | undefined> {
    for (const { url, trusted, queryRealisation } of await this.#open()) {
      if (queryRealisation === undefined || this.#given.has(url)) continue;
      try {
        const found = await this.#inTime(url, Promise.resolve(queryRealisation(id)));
        if (found === undefined) continue;
        checkRealisation(found, id, this.#believed(trusted));
        return found;
      } catch (error) {
        if (error instanceof CodedError && error.code !== "cache.unreachable") this.#warnOnce(url, error);
        else this.giveUp(url, error);
      }
    }
    return undefined;
  }

  /** What the builder of a derivation said, from the first store that knows. Nobody vouches for it: it is for people to read. */
  async readLog(drvPath: StorePath): Promise<Uint8Array | undefined> {
    for (const { url, readLog } of await this.#open()) {
      if (readLog === undefined || this.#given.has(url)) continue;
      try {
        const log = await this.#inTime(url, readLog(drvPath));
        if (log !== undefined) return log;
      } catch (error) {
        this.giveUp(url, error);
      }
    }
    return undefined;
  }

  /** Tell a store that an object was not what it said. */
  async disappointed({ info, from }: Offer): Promise<void> {
    for (const each of await this.#open()) if (each.url === from) each.disappointed?.(info.path);
  }

  /** Ask a store for nothing more in this run. */
  giveUp(url: string, reason: unknown): void {
    if (this.#given.has(url)) return;
    this.#given.add(url);
    this.#options.warn(`${showUrl(url)} is left out: ${messageOf(reason)}`);
  }

  async close(): Promise<void> {
    for (const substituter of (await this.#opened) ?? []) substituter.close?.();
    this.#options.closed?.();
  }

  /** All stores that could be opened, the preferred one first. */
  #open(): Promise<Substituter[]> {
    this.#opened ??= Promise.all(this.#options.sources.map((source) => this.#openOne(source))).then((found) =>
      found.filter((each) => each !== undefined).sort((a, b) => a.priority - b.priority),
    );
    return this.#opened;
  }

  async #openOne(source: SubstituterSource): Promise<Substituter | undefined> {
    try {
      const substituter = await this.#inTime(source.url, source.open());
      const { storeDirectory } = substituter.store;
      if (storeDirectory === STORE_DIRECTORY) return substituter;
      substituter.close?.();
      this.giveUp(source.url, new Error(`its objects belong to "${storeDirectory}", expected "${STORE_DIRECTORY}"`));
    } catch (error) {
      this.giveUp(source.url, error);
    }
    return undefined;
  }

  async #ask({ url, store, trusted }: Substituter, path: StorePath): Promise<PathInfo | undefined> {
    let info: PathInfo | undefined;
    try {
      info = await this.#inTime(url, Promise.resolve(store.queryPathInfo(path)));
    } catch (error) {
      // Nonsense about one path says nothing about the others; silence does.
      if (isCacheFault(error) && error.code !== "cache.unreachable") this.#warnOnce(url, error);
      else this.giveUp(url, error);
      return undefined;
    }
    if (info === undefined) return undefined;
    try {
      checkAnswer(info, path, this.#believed(trusted));
      return info;
    } catch (error) {
      this.#warnOnce(url, error);
      return undefined;
    }
  }

  #believed(trusted: boolean | undefined): Believed {
    const { trustedKeys, requireSignatures } = this.#options;
    return trusted === true || requireSignatures === false ? "all" : trustedKeys;
  }

  #inTime<T>(url: string, promise: Promise<T>): Promise<T> {
    return withDeadline(promise, this.#options.answerTimeoutMs ?? 20_000, `the store "${showUrl(url)}"`);
  }

  #warnOnce(url: string, error: unknown): void {
    const key = `${url} ${codeOf(error)}`;
    if (this.#warned.has(key)) return;
    this.#warned.add(key);
    const { hint } = error as CodedError;
    this.#options.warn(`${showUrl(url)}: ${messageOf(error)}${hint === undefined ? "" : ` (${hint})`}`);
  }
}

function codeOf(error: unknown): string {
  return error instanceof CodedError ? error.code : "";
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

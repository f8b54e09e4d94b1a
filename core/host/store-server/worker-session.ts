import type { BuildEvent } from "../../build/index.ts";
import {
  type DerivedPath,
  type LogMessage,
  parseDerivedPath,
  parsePathWithOutputs,
  type WireReader,
  type WireWriter,
  writeLogMessage,
} from "../../store/wire/index.ts";
import { failureText, unsupported } from "./failure.ts";
import type { ClientSettings, StoreServices } from "./served-store.ts";

/** When a client reads so slowly that this much waits for it, lines of logs are left out. */
const WAITING_LOG_BYTES = 8 * 1024 * 1024;

/** Kinds of activities and results that clients know how to show. Source: Nix, `logging.hh`. */
const ACTIVITY = { fileTransfer: 101, build: 105 } as const;
const RESULT = { logLine: 101, phase: 104, progress: 105 } as const;
const INFO_LEVEL = 3;
/** The minor version from which clients understand activities. */
const WITH_ACTIVITIES = 20;
/** The minor version from which a `.drv` means itself and `drv!*` its outputs. */
const WITH_DERIVED_PATHS = 30;

export interface WorkerSessionOptions {
  readonly services: StoreServices;
  readonly reader: WireReader;
  readonly writer: WireWriter;
  /** Minor version both sides speak. */
  readonly minor: number;
  readonly trusted: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** One client of the worker protocol: what its operations share. */
export class WorkerSession {
  readonly services: StoreServices;
  readonly reader: WireReader;
  readonly writer: WireWriter;
  readonly minor: number;
  readonly trusted: boolean;
  readonly signal: AbortSignal | undefined;
  settings: ClientSettings = { keepFailed: false, keepGoing: false, substitute: true };
  #stage: "arguments" | "working" | "answering" = "arguments";
  #lastActivity = 0n;
  readonly #activities = new Map<string, bigint>();
  #omittedLines = 0;

  constructor({ services, reader, writer, minor, trusted, signal }: WorkerSessionOptions) {
    this.services = services;
    this.reader = reader;
    this.writer = writer;
    this.minor = minor;
    this.trusted = trusted;
    this.signal = signal;
  }

  get store() {
    return this.services.store;
  }

  /** How far the present operation is. */
  get stage(): "arguments" | "working" | "answering" {
    return this.#stage;
  }

  /** The next operation's arguments are read. */
  reset(): void {
    this.#stage = "arguments";
  }

  /** The arguments were understood: from here on a failure leaves the connection usable. */
  begin(): void {
    this.#stage = "working";
  }

  /** The operation has succeeded; its result is written next. */
  end(): WireWriter {
    this.#noteOmittedLines();
    writeLogMessage(this.writer, { kind: "last" }, this.minor);
    this.#stage = "answering";
    return this.writer;
  }

  /** The operation has failed. */
  fail(error: unknown): void {
    this.#noteOmittedLines();
    writeLogMessage(this.writer, { kind: "error", message: failureText(error) }, this.minor);
  }

  /** The service, or an error that says it is missing. */
  need<K extends keyof StoreServices>(service: K, what: string): NonNullable<StoreServices[K]> {
    const found = this.services[service];
    if (found === undefined) throw unsupported(what);
    return found as NonNullable<StoreServices[K]>;
  }

  /** What a client asks for, in the form of its version. Errors as `parseDerivedPath`. */
  parseWish(text: string): DerivedPath {
    const parse = this.minor >= WITH_DERIVED_PATHS ? parseDerivedPath : parsePathWithOutputs;
    return parse(text, this.store.storeDirectory);
  }

  /** One line for people. */
  say(text: string): void {
    this.#send({ kind: "line", text: `${text}\n` });
  }

  /** What happens in a build, as activities where the client understands them. */
  readonly report = (event: BuildEvent): void => {
    if (event.kind === "notice") this.say(event.message);
    if (this.minor < WITH_ACTIVITIES) {
      if (event.kind === "log-line") this.say(event.line);
      return;
    }
    switch (event.kind) {
      case "started":
        return this.#startBuild(event.drvPath, event.job);
      case "log-line":
        return this.#result(event.drvPath, RESULT.logLine, [event.line]);
      case "phase":
        return this.#result(event.drvPath, RESULT.phase, [event.phase]);
      case "progress":
        return this.#result(event.drvPath, RESULT.progress, [event.doneBytes, event.totalBytes ?? 0, 0, 0]);
      case "built":
      case "already-valid":
      case "failed":
      case "cancelled":
        return this.#stop(event.drvPath);
      default:
    }
  };

  #startBuild(drvPath: string, job: "build" | "fetch"): void {
    this.#lastActivity += 1n;
    // Ids of one client must not meet those of another in one log.
    const id = (BigInt(process.pid) << 32n) | this.#lastActivity;
    this.#activities.set(drvPath, id);
    const [type, text, fields] =
      job === "build"
        ? [ACTIVITY.build, `building '${drvPath}'`, [drvPath, "", 1, 1]]
        : [ACTIVITY.fileTransfer, `fetching '${drvPath}'`, [drvPath]];
    this.#send({ kind: "start-activity", id, level: INFO_LEVEL, type, text, fields, parent: 0n });
  }

  #result(drvPath: string, type: number, fields: readonly (string | number)[]): void {
    const id = this.#activities.get(drvPath);
    if (id !== undefined) this.#send({ kind: "result", id, type, fields });
  }

  #stop(drvPath: string): void {
    const id = this.#activities.get(drvPath);
    this.#activities.delete(drvPath);
    if (id !== undefined) this.#send({ kind: "stop-activity", id });
  }

  #send(message: LogMessage): void {
    const isLine = message.kind === "line" || message.kind === "result";
    if (isLine && this.writer.waitingBytes > WAITING_LOG_BYTES) {
      this.#omittedLines += 1;
      return;
    }
    writeLogMessage(this.writer, message, this.minor);
    // A client that is gone is noticed at the next answer.
    this.writer.flush().catch(() => {});
  }

  #noteOmittedLines(): void {
    if (this.#omittedLines === 0) return;
    const text = `(${this.#omittedLines} lines were left out: they came faster than they were read)\n`;
    writeLogMessage(this.writer, { kind: "line", text }, this.minor);
    this.#omittedLines = 0;
  }
}

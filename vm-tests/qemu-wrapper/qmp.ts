import type { Duplex } from "node:stream";
import { QemuError } from "./errors.ts";

/** A message QEMU sends by itself. Source: QEMU Machine Protocol specification. */
export interface QmpEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly timestamp: { readonly seconds: number; readonly microseconds: number };
}

/** The commands used here, with their arguments and answers; any other command takes and gives untyped data. */
export interface QmpCommands {
  "query-status": { arguments: undefined; returns: { readonly status: string; readonly running: boolean } };
  "query-version": {
    arguments: undefined;
    returns: { readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number } };
  };
  "human-monitor-command": { arguments: { readonly "command-line": string }; returns: string };
  screendump: { arguments: { readonly filename: string; readonly format?: "png" | "ppm" }; returns: unknown };
  cont: { arguments: undefined; returns: unknown };
  stop: { arguments: undefined; returns: unknown };
  system_reset: { arguments: undefined; returns: unknown };
  system_powerdown: { arguments: undefined; returns: unknown };
  quit: { arguments: undefined; returns: unknown };
}

interface Waiter {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

interface Message {
  readonly QMP?: unknown;
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
  readonly timestamp?: QmpEvent["timestamp"];
}

/** The control channel of one running QEMU: commands whose answers are matched by id, and events. */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #waiting = new Map<number, Waiter>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;
  #rest = "";
  #closed: QemuError | undefined;
  #greeting: Waiter | undefined;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => this.#take(text));
    stream.on("error", (error) => this.#close(error));
    stream.on("close", () => this.#close());
  }

  /**
   * Take up the protocol on a fresh connection: wait for the greeting and leave negotiation mode.
   *
   * @throws {QemuError} `qmp.closed` when QEMU goes away before that.
   */
  static async connect(stream: Duplex, signal?: AbortSignal): Promise<QmpClient> {
    const client = new QmpClient(stream);
    await withAbort(
      new Promise((resolve, reject) => {
        client.#greeting = { resolve, reject };
      }),
      signal,
    );
    await client.command("qmp_capabilities", undefined, signal);
    return client;
  }

  /**
   * Run one command.
   *
   * @throws {QemuError} `qmp.refused` when QEMU answers with an error, `qmp.closed` when it ends first.
   */
  command<N extends keyof QmpCommands>(
    name: N,
    args?: QmpCommands[N]["arguments"],
    signal?: AbortSignal,
  ): Promise<QmpCommands[N]["returns"]>;
  command(name: string, args?: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<unknown>;
  command(name: string, args?: Readonly<Record<string, unknown>>, signal?: AbortSignal): Promise<unknown> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const id = this.#nextId++;
    const answer = new Promise((resolve, reject) => {
      this.#waiting.set(id, {
        resolve,
        reject: (error) =>
          reject(
            new QemuError(
              error instanceof QemuError ? error.code : "qmp.refused",
              `Cannot run the QMP command "${name}": ${error.message}`,
            ),
          ),
      });
    });
    this.#stream.write(
      `${JSON.stringify({ execute: name, ...(args === undefined ? {} : { arguments: args }), id })}\n`,
    );
    return withAbort(answer, signal).finally(() => this.#waiting.delete(id));
  }

  /** Call `listener` for every event from now on; the result ends that. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next event of that name. */
  async waitForEvent(name: string, signal?: AbortSignal): Promise<QmpEvent> {
    let stop = (): void => {};
    try {
      return await withAbort(
        new Promise<QmpEvent>((resolve) => {
          stop = this.onEvent((event) => {
            if (event.event === name) resolve(event);
          });
        }),
        signal,
      );
    } finally {
      stop();
    }
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() !== "") this.#dispatch(JSON.parse(line) as Message);
    }
  }

  #dispatch(message: Message): void {
    if (message.QMP !== undefined) this.#greeting?.resolve(undefined);
    else if (message.event !== undefined) {
      const event = {
        event: message.event,
        data: message.data ?? {},
        timestamp: message.timestamp ?? { seconds: 0, microseconds: 0 },
      };
      for (const listener of [...this.#listeners]) listener(event);
    } else if (message.id !== undefined) {
      const waiter = this.#waiting.get(message.id);
      if (message.error !== undefined) waiter?.reject(new Error(message.error.desc));
      else waiter?.resolve(message.return);
    }
  }

  #close(cause?: unknown): void {
    if (this.#closed !== undefined) return;
    this.#closed = new QemuError("qmp.closed", "the control channel of QEMU is closed", { cause });
    this.#greeting?.reject(this.#closed);
    for (const waiter of this.#waiting.values()) waiter.reject(this.#closed);
  }
}

/** Give up waiting when the signal says so, with the signal's own reason. */
export function withAbort<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

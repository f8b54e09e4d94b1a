import type { Duplex } from "node:stream";
import { QemuError } from "./errors.ts";
import type { QmpCommands, QmpEvent, QmpEvents } from "./qmp-schema.ts";

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

/** A message of the control channel as it was sent or received. */
export interface QmpTraffic {
  readonly to: "qemu" | "host";
  readonly message: object;
}

export interface WaitForEventOptions<Data = Readonly<Record<string, unknown>>> {
  readonly isMeant?: (data: Data) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** The control channel of one running QEMU: commands whose answers are matched by id, and events. */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #waiting = new Map<number, Waiter>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #taps = new Set<(traffic: QmpTraffic) => void>();
  readonly #closing = new Set<(error: QemuError) => void>();
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

  /** Go on with a connection on which the protocol has been taken up before, and nothing is on its way. */
  static takeOver(stream: Duplex): QmpClient {
    return new QmpClient(stream);
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
    const message = { execute: name, ...(args === undefined ? {} : { arguments: args }), id };
    for (const tap of this.#taps) tap({ to: "qemu", message });
    this.#stream.write(`${JSON.stringify(message)}\n`);
    return withAbort(answer, signal).finally(() => this.#waiting.delete(id));
  }

  /** Call `listener` for every event from now on; the result ends that. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Call `listener` for every message from now on, in both directions; the result ends that. */
  onTraffic(listener: (traffic: QmpTraffic) => void): () => void {
    this.#taps.add(listener);
    return () => this.#taps.delete(listener);
  }

  /**
   * The next event of that name, or the next one that `isMeant` says yes to.
   *
   * @throws {QemuError} `qmp.closed` when QEMU ends first.
   */
  async waitForEvent<N extends keyof QmpEvents>(
    name: N,
    options?: WaitForEventOptions<QmpEvents[N]>,
  ): Promise<QmpEvent<QmpEvents[N]>>;
  async waitForEvent(name: string, options?: WaitForEventOptions): Promise<QmpEvent>;
  async waitForEvent(name: string, options: WaitForEventOptions = {}): Promise<QmpEvent> {
    const { signal, isMeant = () => true } = options;
    let stop = (): void => {};
    try {
      return await withAbort(
        new Promise<QmpEvent>((resolve, reject) => {
          if (this.#closed !== undefined) reject(this.#closed);
          this.#closing.add(reject);
          const forget = this.onEvent((event) => {
            if (event.event === name && isMeant(event.data)) resolve(event);
          });
          stop = () => {
            forget();
            this.#closing.delete(reject);
          };
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
    for (const tap of this.#taps) tap({ to: "host", message });
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
    for (const reject of [...this.#closing]) reject(this.#closed);
  }
}

/** Give up waiting when the signal says so, with the signal's own reason. */
export function withAbort<T>(promise: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason instanceof Error ? signal.reason : new Error(String(signal.reason)));
    if (signal.aborted) {
      // Nobody waits for it any more; that it fails later is no news.
      promise.catch(() => {});
      return abort();
    }
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

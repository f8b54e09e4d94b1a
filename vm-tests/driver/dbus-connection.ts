import type { Duplex } from "node:stream";
import { CodedError } from "../../core/base/index.ts";
import { type DbusMessage, type DbusValue, decodeMessage, encodeMessage } from "./dbus-codec.ts";

/** The hello of a client that is root: its user id in digits, in hexadecimal. Source: D-Bus Specification, "Authentication Protocol". */
const GREETING = `\0AUTH EXTERNAL ${Buffer.from("0").toString("hex")}\r\nBEGIN\r\n`;

export interface DbusCall {
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly body?: readonly DbusValue[];
}

interface Waiter {
  resolve(body: readonly DbusValue[]): void;
  reject(error: Error): void;
}

/**
 * A conversation with one peer over D-Bus, without a bus between: the peer is the service manager, which listens for root on a socket of
 * its own and sends all its signals there unasked.
 */
export class DbusConnection {
  readonly #stream: Duplex;
  readonly #waiting = new Map<number, Waiter>();
  readonly #listeners = new Set<(signal: DbusMessage | undefined) => void>();
  /** Calls made before the greeting was answered: systemd looks at what comes together with it only when more comes. */
  readonly #early: Buffer[] = [];
  #rest: Buffer = Buffer.alloc(0);
  #greeted = false;
  #serial = 1;
  #closed: CodedError | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", (data: Buffer) => this.#take(data));
    stream.on("error", () => {});
    stream.on("close", () => this.#close("it has hung up"));
    stream.on("end", () => this.#close("it has hung up"));
    stream.write(GREETING);
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  close(): void {
    this.#close("the conversation was ended");
    this.#stream.destroy();
  }

  /**
   * Call a method.
   *
   * @throws {CodedError} `dbus.refused` with the peer's words; `dbus.closed` when it hangs up first.
   */
  call(call: DbusCall): Promise<readonly DbusValue[]> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const serial = this.#serial++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(serial, { resolve, reject });
      const message = encodeMessage({ kind: "call", serial, destination: "org.freedesktop.systemd1", ...call });
      if (this.#greeted) this.#stream.write(message);
      else this.#early.push(message);
    });
  }

  /** Call `listener` for every signal from now on, and with nothing at the end; the result stops that. */
  onSignal(listener: (signal: DbusMessage | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #take(data: Buffer): void {
    this.#rest = this.#rest.length === 0 ? data : Buffer.concat([this.#rest, data]);
    try {
      if (!this.#greeted && !this.#skipGreeting()) return;
      for (let next = decodeMessage(this.#rest); next !== undefined; next = decodeMessage(this.#rest)) {
        this.#rest = this.#rest.subarray(next.sizeBytes);
        this.#dispatch(next.message);
      }
    } catch (error) {
      this.#close((error as Error).message);
      this.#stream.destroy();
    }
  }

  #skipGreeting(): boolean {
    const end = this.#rest.indexOf("\r\n");
    if (end < 0) return false;
    const line = this.#rest.toString("latin1", 0, end);
    if (!line.startsWith("OK ")) throw new Error(`it answers "${line}"`);
    this.#rest = this.#rest.subarray(end + 2);
    this.#greeted = true;
    for (const message of this.#early.splice(0)) this.#stream.write(message);
    return true;
  }

  #dispatch(message: DbusMessage): void {
    if (message.kind === "signal") {
      for (const listener of [...this.#listeners]) listener(message);
      return;
    }
    const waiter = this.#waiting.get(message.replyTo ?? 0);
    this.#waiting.delete(message.replyTo ?? 0);
    if (message.kind === "return") waiter?.resolve(message.body ?? []);
    else if (message.kind === "error") {
      const words = String(message.body?.[0] ?? message.error);
      waiter?.reject(
        new CodedError("dbus.refused", `Cannot ask the service manager: ${words}`, { details: [message.error ?? ""] }),
      );
    }
  }

  #close(why: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = new CodedError("dbus.closed", `Cannot ask the service manager: ${why}`);
    for (const waiter of this.#waiting.values()) waiter.reject(this.#closed);
    this.#waiting.clear();
    for (const listener of [...this.#listeners]) listener(undefined);
  }
}

import { accessSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { constants } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { QemuError } from "./errors.ts";
import { startOf } from "./process-mark.ts";
import { withAbort } from "./qmp.ts";

/** How a copy ended. */
export interface ForkEnd {
  readonly status: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
}

/** A copy that goes on. */
export interface Forked {
  readonly pid: number;
  /** It does not reject. */
  readonly ended: Promise<ForkEnd>;
  /** End it at once, and whatever it started. */
  kill(): void;
}

/** What is open in QEMU under the first name, and in a copy under the second: files, and sockets to which it is connected. */
export type Exchange = readonly [from: string, to: string];

interface Waiter {
  resolve(forked: Forked): void;
  reject(error: QemuError): void;
}

/** How long the library may take from its connection to its first word; it starts one thread. */
const READY_MS = 10_000;

/** How long a fork may take, which is a matter of milliseconds on a quiet host. */
const ANSWER_MS = 30_000;

const NO_ANSWER = "it does not answer";

/** How long it may take to tell the end of a copy; it may be about to make another one. */
const END_MS = 5000;

const KILLED: ForkEnd = { status: undefined, signal: "SIGKILL" };

/**
 * The channel to the library in QEMU that forks it; `native/qemu-forks.c` has its other end and tells the protocol.
 *
 * QEMU's copies are its children: it alone can tell how they end, and only it knows for sure that their numbers are theirs.
 */
export class ForkChannel {
  /** What QEMU has to have in its environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly #path: string;
  readonly #server: Server;
  readonly #asked = new Map<string, Waiter>();
  readonly #running = new Map<string, (end: ForkEnd) => void>();
  readonly #ready: Promise<void>;
  #socket: Socket | undefined;
  #isReady: () => void = () => {};
  #isClosed: (error: QemuError) => void = () => {};
  #closed: QemuError | undefined;
  /** It was asked for something, and did not do it in its time. */
  #hangs = false;
  #count = 0;
  #rest = "";

  private constructor(server: Server, path: string, library: string) {
    this.#server = server;
    this.#path = path;
    this.environment = { LD_PRELOAD: library, FLOE_QEMU_FORKS: path };
    this.#ready = new Promise((resolve, reject) => {
      this.#isReady = resolve;
      this.#isClosed = reject;
    });
    this.#ready.catch(() => {});
    server.once("connection", (socket: Socket) => {
      this.#socket = socket;
      socket.setEncoding("utf8");
      socket.on("data", (text: string) => this.#take(text));
      socket.on("error", () => {});
      socket.on("close", () => this.#close());
      this.#stopListening();
    });
  }

  /**
   * Listen for a QEMU that will be started.
   *
   * @throws {QemuError} `qemu.no-socket`
   */
  static async listen(path: string, library: string): Promise<ForkChannel> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) =>
        reject(new QemuError("qemu.no-socket", `Cannot listen on "${path}": ${cause.message}`, { cause })),
      );
      server.listen(path, resolve);
    });
    return new ForkChannel(server, path, library);
  }

  /**
   * Wait until a QEMU that speaks can be forked. The library connects before QEMU itself does anything.
   *
   * @throws {QemuError} `qemu.not-forkable` when the library is not in QEMU, or does not work there.
   */
  async ready(): Promise<void> {
    // A connection that was made is seen in the next turn.
    for (let turn = 0; turn < 2 && this.#socket === undefined; turn++) await nextTurn();
    if (this.#socket === undefined) this.#close();
    const timer = setTimeout(() => this.#close(), READY_MS);
    try {
      await this.#ready;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Fork QEMU, whose machine has to be stopped. A copy that comes when nobody waits for it any more is ended.
   *
   * @throws {QemuError} `qemu.not-forked` with the reason.
   */
  fork(exchanges: readonly Exchange[], signal?: AbortSignal): Promise<Forked> {
    if (this.#closed !== undefined || this.#socket === undefined) return Promise.reject(notForked("it is gone"));
    if (this.#hangs) return Promise.reject(notForked(NO_ANSWER));
    const id = `${++this.#count}`;
    const answer = new Promise<Forked>((resolve, reject) => this.#asked.set(id, { resolve, reject }));
    this.#send(["fork", id, ...exchanges.flat()]);
    const timer = setTimeout(() => {
      this.#hangs = true;
      this.#refuse(id, NO_ANSWER);
    }, ANSWER_MS);
    return withAbort(answer, signal).finally(() => {
      clearTimeout(timer);
      this.#asked.delete(id);
    });
  }

  /**
   * Wait for something that QEMU has to say before it is forked.
   *
   * @throws {QemuError} `qemu.not-forked` when that takes as long as no fork may.
   */
  async answerInTime<T>(ask: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#hangs) throw notForked(NO_ANSWER);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(notForked(NO_ANSWER)), ANSWER_MS);
    try {
      return await ask(signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]));
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends QEMU, with its copies. */
  close(): void {
    this.#socket?.destroy();
    this.#close();
  }

  #send(words: readonly string[]): void {
    this.#socket?.write([...words, ""].map((word) => `${word}\0`).join(""));
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#obey(line);
  }

  #obey(line: string): void {
    const [word, id = "", ...rest] = line.split(" ");
    if (word === "ready") this.#isReady();
    else if (word === "forked") this.#begin(id, Number(rest[0]));
    else if (word === "refused") this.#refuse(id, rest.join(" "));
    else if (word === "ended") {
      const [how, number] = rest;
      const end = how === "signal" ? { signal: signalOf(Number(number)) } : { status: Number(number) };
      this.#end(id, { status: undefined, signal: undefined, ...end });
    }
  }

  #begin(id: string, pid: number): void {
    const start = startOf(pid);
    const ended = new Promise<ForkEnd>((resolve) => this.#running.set(id, resolve));
    const kill = (): void => {
      if (!this.#running.has(id)) return;
      if (this.#hangs) return this.#killHere(id, pid, start);
      this.#send(["kill", id]);
      const timer = setTimeout(() => this.#killHere(id, pid, start), END_MS);
      void ended.then(() => clearTimeout(timer));
    };
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (asked === undefined) kill();
    else asked.resolve({ pid, ended, kill });
  }

  /** End a copy whose parent hangs: that has not waited for it, so the number is still its own. */
  #killHere(id: string, pid: number, start: string | undefined): void {
    this.#hangs = true;
    try {
      if (start !== undefined && startOf(pid) === start) process.kill(-pid, "SIGKILL");
    } catch {
      // Its parent has done so just now.
    }
    this.#end(id, KILLED);
  }

  #end(id: string, end: ForkEnd): void {
    this.#running.get(id)?.(end);
    this.#running.delete(id);
  }

  #refuse(id: string, why: string): void {
    this.#asked.get(id)?.reject(notForked(why));
    this.#asked.delete(id);
  }

  #close(): void {
    if (this.#closed !== undefined) return;
    this.#closed = new QemuError("qemu.not-forkable", "Cannot fork QEMU: the library for that does not run in it", {
      hint: "It is for QEMU on Linux on x86_64, linked with the C library of this host.",
    });
    this.#isClosed(this.#closed);
    this.#stopListening();
    for (const { reject } of this.#asked.values()) reject(notForked("it has ended"));
    // The kernel kills copies when their parent is gone.
    for (const id of [...this.#running.keys()]) this.#end(id, KILLED);
    this.#asked.clear();
  }

  #stopListening(): void {
    this.#server.close();
    rmSync(this.#path, { force: true });
  }
}

/** The library as `tools/setup.sh` compiled it for this checkout; `undefined` where there is none. */
export function findForkLibrary(): string | undefined {
  const file = fileURLToPath(new URL("../../dist/qemu-forks.so", import.meta.url));
  try {
    accessSync(file);
    return file;
  } catch {
    return undefined;
  }
}

export function notForked(why: string): QemuError {
  return new QemuError("qemu.not-forked", `Cannot fork QEMU: ${why}`);
}

function signalOf(number: number): NodeJS.Signals | undefined {
  const names = Object.entries(constants.signals) as [NodeJS.Signals, number][];
  return names.find(([, value]) => value === number)?.[0];
}

import type { Duplex } from "node:stream";
import { CodedError } from "../../core/base/index.ts";
import { AgentConnection } from "./agent-connection.ts";
import { type ExecOptions, type Execution, type ExecResult, encodeExec, InputSender, readExit } from "./agent-exec.ts";
import {
  CHUNK_BYTES,
  encodeFrame,
  encodeLong,
  encodeNumber,
  encodeShort,
  encodeText,
  FRAME,
  type Frame,
  FrameReader,
  PROTOCOL_VERSION,
  SYNC,
} from "./agent-protocol.ts";

/** What an agent says about itself and its machine. */
export interface Hello {
  /** That of the protocol, and which agent speaks it. */
  readonly version: string;
  /** Another one is an agent that was restarted. */
  readonly nonce: string;
  /** Changes with every boot. Source: /proc/sys/kernel/random/boot_id. */
  readonly bootId: string;
  /** The booted system's toplevel; empty before it is known. */
  readonly system: string;
  /** Number of the default generation; 0 when there is none. */
  readonly generation: number;
}

/** Where {@link AgentClient.connect} goes, as the guest sees it: an IP address and port, or a socket in its file system. */
export type GuestAddress = { readonly address: string; readonly port: number } | { readonly path: string };

/** What {@link AgentClient.watch} waits for. */
export type Condition =
  | { readonly kind: "path"; readonly path: string; readonly type?: PathType }
  /** Somebody listens on a port of one of the guest's own addresses. Source: /proc/net/tcp and its siblings. */
  | { readonly kind: "tcp" | "udp"; readonly port: number; readonly address: string }
  /** Somebody listens on a socket of the file system. Source: /proc/net/unix. */
  | { readonly kind: "unix"; readonly path: string }
  /** A process has the text in its command line, its arguments apart by one space. */
  | { readonly kind: "process"; readonly text: string };

/** What may lie at a path; links are followed, except where one is asked for. */
export type PathType = "file" | "directory" | "symlink" | "socket" | "fifo" | "device";

export interface WatchOptions {
  /** Wait for its end. */
  readonly gone?: boolean;
  /** Called with what is so instead, whenever that changes. */
  readonly onSeen?: (seen: string) => void;
  /** Ends the watch; its promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Receives the bytes of a file in their order. */
export interface FileSink {
  data(bytes: Buffer): void;
  /** That many zeros, which take no room. */
  hole(sizeBytes: number): void;
}

export interface AgentClientOptions {
  /** Called when the agent says hello again by itself: it was restarted. */
  readonly onRestart?: () => void;
  /** The reason for a stream that closed, where more is known than that it did. */
  readonly explainEnd?: () => Promise<CodedError | undefined>;
  /** Told every frame as it is sent or received. */
  readonly onFrame?: (to: "guest" | "host", type: number, stream: number, bytes: number) => void;
}

interface StreamHandler {
  frame(frame: Frame): void;
  fail(error: Error): void;
}

const HELLO_INTERVAL_MS = 500;
const ZEROS = Buffer.alloc(CHUNK_BYTES);

/** The driver's end of one guest's agent: many commands and transfers at the same time over one stream. */
export class AgentClient {
  readonly #stream: Duplex;
  readonly #reader = new FrameReader();
  readonly #handlers = new Map<number, StreamHandler>();
  readonly #epoch: number;
  #nextStream = 1;
  #closed: CodedError | undefined;
  readonly #tap: NonNullable<AgentClientOptions["onFrame"]>;
  readonly #restarted: (() => void) | undefined;
  readonly #hello: Promise<Hello>;
  #greet: (hello: Hello) => void = () => {};
  #refuse: (error: Error) => void = () => {};
  #greeted = false;
  readonly #knock: NodeJS.Timeout;
  readonly #listen = (data: Buffer): void => {
    for (const frame of this.#reader.push(data)) {
      this.#tap("host", frame.type, frame.stream, frame.payload.length);
      this.#take(frame);
    }
  };

  /** @param epoch A number no earlier client of this guest has used. The agent ends everything older than it. */
  constructor(stream: Duplex, epoch: number, options: AgentClientOptions = {}) {
    this.#stream = stream;
    this.#epoch = epoch;
    this.#restarted = options.onRestart;
    this.#tap = options.onFrame ?? (() => {});
    this.#hello = new Promise((resolve, reject) => {
      this.#greet = resolve;
      this.#refuse = reject;
    });
    this.#hello.catch(() => {});
    stream.on("data", this.#listen);
    stream.on("close", async () => this.#fail((await options.explainEnd?.()) ?? ended("has ended")));
    // Nobody listens in the guest at first, and what is sent before that may be dropped.
    this.#knock = setInterval(() => this.#sendEpoch(), HELLO_INTERVAL_MS);
    this.#sendEpoch();
  }

  /** Settles when the agent has answered. @throws {CodedError} `agent.closed` when the machine ends first. */
  get hello(): Promise<Hello> {
    return this.#hello;
  }

  /** Whether the agent has answered. */
  get greeted(): boolean {
    return this.#greeted;
  }

  /** Stop using the stream. Everything that is running fails with `agent.closed`. */
  close(): void {
    this.#fail(ended("was ended"));
  }

  /** Run a program; `argv[0]` is looked up in the agent's PATH. */
  exec(argv: readonly string[], options: ExecOptions = {}): Execution {
    const id = this.#nextStream++;
    const outputs: { stdout: Buffer[]; stderr: Buffer[] } = { stdout: [], stderr: [] };
    const kill = (signal = 9): void => {
      this.#send(FRAME.kill, id, encodeNumber(signal));
    };
    const input = new InputSender((data) => this.#send(FRAME.stdin, id, data));
    if (options.stdin !== "open") {
      input.write(Buffer.from(options.stdin ?? ""));
      input.end();
    }
    const result = this.#open<ExecResult>(id, (frame, resolve) => {
      if (frame.type === FRAME.stdout || frame.type === FRAME.stderr) {
        const stream = frame.type === FRAME.stdout ? "stdout" : "stderr";
        if (options.keepOutput !== false) outputs[stream].push(frame.payload);
        options.onOutput?.(stream, frame.payload);
      } else if (frame.type === FRAME.stdinRead) input.acknowledge(frame.payload.readUInt32LE(0));
      else if (frame.type === FRAME.started) input.start();
      else if (frame.type === FRAME.exited) resolve(readExit(frame.payload, outputs));
    });
    this.#send(FRAME.exec, id, encodeExec(argv, options));
    const abort = (): void => kill();
    options.signal?.addEventListener("abort", abort, { once: true });
    const settled = result.finally(() => options.signal?.removeEventListener("abort", abort));
    settled.catch(() => {});
    return {
      result: settled,
      kill,
      write: (data) => input.write(Buffer.from(data)),
      end: () => input.end(),
      resize: (rows, columns) =>
        void this.#send(FRAME.resize, id, Buffer.concat([encodeShort(rows), encodeShort(columns)])),
    };
  }

  /**
   * Write a file of the guest, whole or not at all. What is zero throughout a chunk becomes a hole.
   *
   * @throws {CodedError} `agent.refused` with the guest's reason.
   */
  async put(path: string, data: Uint8Array | AsyncIterable<Uint8Array>, mode = 0o644): Promise<void> {
    const id = this.#nextStream++;
    const done = this.#request<void>(id, (frame, resolve) => {
      if (frame.type === FRAME.done) resolve();
    });
    let refused = false;
    done.catch(() => {
      refused = true;
    });
    this.#send(FRAME.put, id, Buffer.concat([encodeNumber(mode), encodeText(path)]));
    try {
      for await (const part of data instanceof Uint8Array ? [data] : data) {
        for (let at = 0; at < part.length && !refused; at += CHUNK_BYTES) {
          const chunk = part.subarray(at, at + CHUNK_BYTES);
          if (ZEROS.subarray(0, chunk.length).equals(chunk)) {
            this.#send(FRAME.putHole, id, encodeLong(BigInt(chunk.length)));
          } else await this.#sendPatiently(FRAME.putData, id, chunk);
        }
        if (refused) break;
      }
    } catch (error) {
      // The source failed: nothing may appear in the guest.
      this.#send(FRAME.kill, id);
      this.#handlers.delete(id);
      throw error;
    }
    this.#send(FRAME.putEnd, id);
    return done;
  }

  /** Read a file of the guest. @throws {CodedError} `agent.refused` with the guest's reason. */
  async get(path: string): Promise<{ readonly data: Buffer; readonly mode: number }> {
    const parts: Buffer[] = [];
    const mode = await this.getTo(path, {
      data: (bytes) => void parts.push(bytes),
      hole: (sizeBytes) => void parts.push(Buffer.alloc(sizeBytes)),
    });
    return { data: Buffer.concat(parts), mode };
  }

  /** Read a file of the guest piece by piece. @returns its mode. @throws {CodedError} `agent.refused`; what the sink throws. */
  getTo(path: string, sink: FileSink): Promise<number> {
    const id = this.#nextStream++;
    const done = this.#request<number>(id, (frame, resolve, reject) => {
      try {
        if (frame.type === FRAME.getData) sink.data(frame.payload);
        else if (frame.type === FRAME.getHole) sink.hole(Number(frame.payload.readBigUInt64LE(0)));
        else if (frame.type === FRAME.getEnd) resolve(frame.payload.readUInt32LE(0));
      } catch (error) {
        this.#send(FRAME.kill, id);
        reject(error as Error);
      }
    });
    this.#send(FRAME.get, id, encodeText(path));
    return done;
  }

  /**
   * Connect to what listens in the guest, or to where the guest can connect to.
   *
   * @throws {CodedError} `agent.refused` with the guest's reason.
   */
  connect(to: GuestAddress): Promise<Duplex> {
    const id = this.#nextStream++;
    const connection = new AgentConnection((type, payload) => this.#send(type, id, payload));
    const [address, port] = "path" in to ? [to.path, 0] : [to.address, to.port];
    return new Promise<Duplex>((resolve, reject) => {
      const ends = this.#request<void>(id, (frame, end) => {
        if (frame.type === FRAME.started) resolve(connection);
        if (frame.type === FRAME.done) end();
        else connection.receive(frame);
      });
      ends.then(
        () => connection.finish(),
        (error) => {
          reject(error);
          connection.destroy(error);
        },
      );
      connection.once("close", () => this.#handlers.delete(id));
      // Before it stands, a failure is told by the promise alone.
      connection.on("error", () => {});
      this.#send(FRAME.connect, id, Buffer.concat([encodeText(address), encodeNumber(port)]));
    });
  }

  /**
   * Wait in the guest for something to be so.
   *
   * @throws {CodedError} `agent.refused` when it cannot be watched.
   */
  watch(condition: Condition, options: WatchOptions = {}): Promise<void> {
    const id = this.#nextStream++;
    const { gone = false, onSeen, signal } = options;
    const so = this.#request<void>(id, (frame, resolve) => {
      if (frame.type === FRAME.seen) onSeen?.(frame.payload.toString());
      else if (frame.type === FRAME.done) resolve();
    });
    const words = encodeCondition(condition).map(encodeText);
    this.#send(FRAME.watch, id, Buffer.concat([...words, Buffer.from([gone ? 1 : 0])]));
    if (signal === undefined) return so;
    return new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#send(FRAME.kill, id);
        this.#handlers.delete(id);
        reject(signal.reason);
      };
      if (signal.aborted) return abort();
      signal.addEventListener("abort", abort, { once: true });
      so.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    });
  }

  /** One round trip that starts no process. */
  ping(): Promise<void> {
    const id = this.#nextStream++;
    const done = this.#request<void>(id, (_frame, resolve) => resolve());
    this.#send(FRAME.ping, id);
    return done;
  }

  /** Mix a seed into the guest's random generator and make it take it at once: a restored copy must not repeat its sibling. */
  reseed(seed: Uint8Array): Promise<void> {
    return this.#simple(FRAME.reseed, seed);
  }

  /** Set the guest's wall clock. */
  setClock(at: Date): Promise<void> {
    return this.#simple(FRAME.setClock, encodeLong(BigInt(at.getTime()) * 1_000_000n));
  }

  #simple(type: number, payload: Uint8Array): Promise<void> {
    const id = this.#nextStream++;
    const done = this.#request<void>(id, (frame, resolve) => {
      if (frame.type === FRAME.done) resolve();
    });
    this.#send(type, id, payload);
    return done;
  }

  /** A stream whose failure frame is an error. */
  #request<T>(
    id: number,
    take: (frame: Frame, resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    return this.#open<T>(id, (frame, resolve, reject) => {
      if (frame.type !== FRAME.failed) return take(frame, resolve, reject);
      const text = frame.payload.subarray(4).toString();
      reject(new CodedError("agent.refused", `${text.charAt(0).toUpperCase()}${text.slice(1)}`));
    });
  }

  #open<T>(
    id: number,
    take: (frame: Frame, resolve: (value: T) => void, reject: (error: Error) => void) => void,
  ): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    return new Promise<T>((resolve, reject) => {
      this.#handlers.set(id, { frame: (frame) => take(frame, resolve, reject), fail: reject });
    }).finally(() => this.#handlers.delete(id));
  }

  #take(frame: Frame): void {
    if (frame.type !== FRAME.hello) {
      this.#handlers.get(frame.stream)?.frame(frame);
      return;
    }
    const hello = readHello(frame.payload);
    if (hello.epoch === this.#epoch) {
      clearInterval(this.#knock);
      if (!speaksOurs(hello.version)) {
        this.#fail(
          new CodedError(
            "agent.other-version",
            `Cannot speak with the agent: it has version "${hello.version}" of the protocol, expected "${PROTOCOL_VERSION}"`,
            { hint: "Build the machine's image again, so that both ends are of one make." },
          ),
        );
        return;
      }
      this.#greeted = true;
      this.#greet(hello);
    } else if (this.#greeted) {
      // A hello that answers nothing comes from a new agent, which knows none of our streams.
      this.#failStreams(
        new CodedError("agent.restarted", "Cannot finish the command: the agent was restarted in the guest"),
      );
      this.#sendEpoch();
      this.#restarted?.();
    }
  }

  #sendEpoch(): void {
    this.#stream.write(Buffer.concat([SYNC, encodeFrame(FRAME.epoch, 0, encodeNumber(this.#epoch))]));
  }

  #send(type: number, stream: number, payload?: Uint8Array): boolean {
    if (this.#closed !== undefined || this.#stream.destroyed) return true;
    this.#tap("guest", type, stream, payload?.length ?? 0);
    return this.#stream.write(encodeFrame(type, stream, payload));
  }

  async #sendPatiently(type: number, stream: number, payload: Uint8Array): Promise<void> {
    if (this.#send(type, stream, payload)) return;
    await new Promise<void>((resolve) => {
      const go = (): void => {
        this.#stream.off("drain", go).off("close", go);
        resolve();
      };
      this.#stream.on("drain", go).on("close", go);
    });
  }

  #failStreams(error: CodedError): void {
    for (const handler of [...this.#handlers.values()]) handler.fail(error);
    this.#handlers.clear();
  }

  #fail(error: CodedError): void {
    if (this.#closed !== undefined) return;
    this.#closed = error;
    this.#stream.off("data", this.#listen);
    clearInterval(this.#knock);
    this.#refuse(error);
    this.#failStreams(error);
  }
}

function ended(how: string): CodedError {
  return new CodedError("agent.closed", `Cannot reach the agent: its machine ${how}`);
}

/** `2` is the agent in C, `2-bash` the one that needs nothing but a shell. */
function speaksOurs(version: string): boolean {
  return version.split("-")[0] === PROTOCOL_VERSION;
}

function encodeCondition(condition: Condition): [kind: string, what: string, extra: string] {
  const { kind } = condition;
  if (kind === "path") return [kind, condition.path, condition.type ?? ""];
  if (kind === "unix") return [kind, condition.path, ""];
  if (kind === "process") return [kind, condition.text, ""];
  return [kind, `${condition.port}`, condition.address];
}

function readHello(payload: Buffer): Hello & { readonly epoch: number } {
  const fields = new Map(
    payload
      .toString()
      .split("\n")
      .map((line) => {
        const at = line.indexOf("=");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
  return {
    version: fields.get("version") ?? "",
    nonce: fields.get("nonce") ?? "",
    epoch: Number(fields.get("epoch")),
    bootId: fields.get("boot_id") ?? "",
    system: fields.get("system") ?? "",
    generation: Number(fields.get("generation") ?? 0),
  };
}

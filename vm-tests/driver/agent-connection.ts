import { Duplex } from "node:stream";
import { InputSender } from "./agent-exec.ts";
import { encodeNumber, FRAME, type Frame } from "./agent-protocol.ts";

/** A socket in the guest, from the host's side. Either direction ends by itself, and neither runs ahead of its reader. */
export class AgentConnection extends Duplex {
  readonly #send: (type: number, payload?: Uint8Array) => void;
  readonly #input: InputSender;
  /** Bytes that were given to the reader and not told to the guest as taken, because the reader has enough for now. */
  #owed = 0;
  #finished = false;
  /** The writes that wait until the guest has taken theirs, oldest first. */
  readonly #writes: { rest: number; done: () => void }[] = [];

  constructor(send: (type: number, payload?: Uint8Array) => void) {
    super({ allowHalfOpen: false });
    this.#send = send;
    this.#input = new InputSender((data) => send(FRAME.stdin, data));
  }

  /** A frame of this connection has come. */
  receive(frame: Frame): void {
    if (frame.type === FRAME.started) this.#input.start();
    else if (frame.type === FRAME.stdinRead) this.#taken(frame.payload.readUInt32LE(0));
    else if (frame.type === FRAME.stdout && frame.payload.length === 0) this.push(null);
    else if (frame.type === FRAME.stdout) {
      this.#owed += frame.payload.length;
      if (this.push(frame.payload)) this.#settle();
    }
  }

  /** Both directions have ended in the guest. */
  finish(): void {
    this.#finished = true;
    this.#taken(Number.POSITIVE_INFINITY);
    this.push(null);
  }

  override _read(): void {
    this.#settle();
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    if (this.#finished) return done();
    this.#writes.push({ rest: chunk.length, done });
    this.#input.write(chunk);
  }

  override _final(done: () => void): void {
    this.#input.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#finished) this.#send(FRAME.kill);
    this.#finished = true;
    done(error);
  }

  #settle(): void {
    if (this.#owed > 0 && !this.#finished) this.#send(FRAME.stdoutRead, encodeNumber(this.#owed));
    this.#owed = 0;
  }

  #taken(sizeBytes: number): void {
    if (Number.isFinite(sizeBytes)) this.#input.acknowledge(sizeBytes);
    for (let left = sizeBytes; left > 0; ) {
      const first = this.#writes[0];
      if (first === undefined) return;
      const part = Math.min(first.rest, left);
      first.rest -= part;
      left -= part;
      if (first.rest > 0) return;
      this.#writes.shift();
      first.done();
    }
  }
}

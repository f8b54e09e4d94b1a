import type { Agent, ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";

/** Who takes the pieces of the answer that comes on a connection. */
export interface Taker {
  /** Whether a piece that comes now is used within the same call, so that it need not last longer. */
  readonly usesAtOnce: boolean;
  /** All of a piece has been given; asking the sender to wait is possible now. */
  settle(): void;
}

/** What `net.connect` does with what it reads: `onread`, as Node documents it. */
interface Reading {
  readonly buffer: Uint8Array;
  readonly callback: (bytes: number, buffer: Uint8Array) => boolean;
}

const BUFFER_BYTES = 256 * 1024;

/** All connections read to it: what was read is given on before anything else is read. */
let buffer: Buffer | undefined;
const takers = new WeakMap<Duplex, Taker>();

/**
 * Let the connections of an agent read to memory that stays. Node makes new memory of 64 KiB for each read, which costs more than
 * the reading of a long answer, most of it in the collector of memory.
 *
 * A piece is a copy, as Node's own would be, unless a {@link Taker} says that it uses it at once.
 */
export function readToKeptMemory(agent: Agent): void {
  const connect = agent.createConnection.bind(agent);
  agent.createConnection = (options, done) => {
    let socket: Duplex | null | undefined;
    const onread: Reading = {
      buffer: (buffer ??= Buffer.allocUnsafeSlow(BUFFER_BYTES)),
      callback(bytes, { buffer: memory, byteOffset }) {
        if (socket == null) return true;
        const taker = takers.get(socket);
        const piece = Buffer.from(memory, byteOffset, bytes);
        socket.emit("data", taker?.usesAtOnce === true ? piece : Buffer.from(piece));
        taker?.settle();
        return true;
      },
    };
    socket = connect({ ...options, onread } as ClientRequestArgs, done);
    return socket;
  };
}

/** Tell who takes what comes on a connection from now on. */
export function takeFrom(socket: Duplex, taker: Taker): void {
  takers.set(socket, taker);
}

/** It takes no more. */
export function stopTaking(socket: Duplex, taker: Taker): void {
  if (takers.get(socket) === taker) takers.delete(socket);
}

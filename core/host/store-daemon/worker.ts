import type { Socket } from "node:net";
import { readBytes, writeBytes } from "../process/index.ts";
import { runWorkerConnection, type StoreServices } from "../store-server/index.ts";
import type { WorkerOrder } from "./workers.ts";

export interface WorkForDaemonOptions {
  /** Opens the store; called before the connection comes, so that it finds everything ready. */
  readonly open: () => { readonly services: StoreServices; close(): void | Promise<void> };
  readonly serverName: string;
  readonly signal: AbortSignal;
  /** Told of connections that ended badly. */
  readonly say: (line: string) => void;
}

/** The other side of `WorkerPool`: serve the one connection that the parent process hands over. */
export async function workForDaemon({ open, serverName, signal, say }: WorkForDaemonOptions): Promise<void> {
  const opened = open();
  try {
    const handed = await receive(signal);
    if (handed === undefined) return;
    const { socket, trusted } = handed;
    const input = readBytes(socket);
    const stop = AbortSignal.any([signal, input.ended]);
    signal.addEventListener("abort", () => socket.destroy(), { once: true });
    socket.resume();
    try {
      await runWorkerConnection({
        services: opened.services,
        input,
        output: writeBytes(socket),
        trusted,
        serverName,
        signal: stop,
      });
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
    await new Promise<void>((resolve) => {
      if (socket.destroyed) resolve();
      else socket.once("close", () => resolve()).end(() => socket.destroy());
    });
  } finally {
    await opened.close();
    if (process.connected) process.disconnect();
  }
}

/** `undefined` when the parent process ends before it has something for us. */
function receive(signal: AbortSignal): Promise<{ readonly socket: Socket; readonly trusted: boolean } | undefined> {
  return new Promise((resolve) => {
    process.once("message", (order: WorkerOrder, socket: unknown) => {
      resolve(socket === undefined ? undefined : { socket: socket as Socket, trusted: order.trusted === true });
    });
    process.once("disconnect", () => resolve(undefined));
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
}

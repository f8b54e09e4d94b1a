import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";

/** What a worker process is told with its connection. */
export interface WorkerOrder {
  readonly trusted: boolean;
}

/** How to start a worker process: one that calls `workForDaemon`. */
export interface WorkerCommand {
  readonly program: string;
  readonly args: readonly string[];
}

/**
 * Processes that serve one connection each. One is always ready, because starting costs more than most questions.
 *
 * A process of its own for every client: what one client does wrong is no other one's trouble, and its temporary roots end
 * with it.
 */
export class WorkerPool {
  readonly #command: WorkerCommand;
  /** Those that run, each with the promise of its end. */
  readonly #running = new Map<ChildProcess, Promise<void>>();
  #ready: ChildProcess | undefined;
  #isClosed = false;

  constructor(command: WorkerCommand) {
    this.#command = command;
    this.#ready = this.#start();
  }

  /** Give a connection away; it is closed here. */
  serve(socket: Socket, order: WorkerOrder): void {
    const worker = this.#ready?.connected === true ? this.#ready : this.#start();
    this.#ready = undefined;
    worker.send(order, socket, (error) => {
      if (error !== null) socket.destroy();
    });
    // When it is busy with this one, somebody else may already knock.
    setImmediate(() => {
      if (!this.#isClosed) this.#ready ??= this.#start();
    });
  }

  /** Those that serve are told to end; what they had begun is not registered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const ended = [...this.#running.values()];
    for (const worker of this.#running.keys()) worker.kill("SIGTERM");
    await Promise.all(ended);
  }

  #start(): ChildProcess {
    const { program, args } = this.#command;
    const worker = spawn(program, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    worker.on("error", () => {});
    // One that could not be started has no end to wait for.
    if (worker.pid === undefined) return worker;
    // Its exit, and not the event "close": that one waits for the channel too, and nothing keeps this process alive until a
    // channel with a connection under way is torn down.
    const ended = new Promise<void>((resolve) => void worker.once("exit", () => resolve()));
    this.#running.set(worker, ended);
    void ended.then(() => {
      this.#running.delete(worker);
      if (this.#ready === worker) this.#ready = undefined;
    });
    return worker;
  }
}

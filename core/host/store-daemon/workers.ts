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
  readonly #all = new Set<ChildProcess>();
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
    const ended = [...this.#all].map((worker) => new Promise<void>((resolve) => void worker.once("close", resolve)));
    for (const worker of this.#all) worker.kill("SIGTERM");
    await Promise.all(ended);
  }

  #start(): ChildProcess {
    const { program, args } = this.#command;
    const worker = spawn(program, args, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
    this.#all.add(worker);
    worker.on("error", () => {});
    worker.once("close", () => {
      this.#all.delete(worker);
      if (this.#ready === worker) this.#ready = undefined;
    });
    return worker;
  }
}

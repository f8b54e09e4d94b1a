import { Worker } from "node:worker_threads";

/** A thread of its own waits for the answers, since we stand still until they are there. One connection serves all questions. */
const CLIENT = `
const { parentPort } = require("node:worker_threads");
const { openSync, closeSync } = require("node:fs");
const { connect } = require("node:net");
let client;
let left = 0;
let answer = () => {};
function open(directory) {
  // A directory's descriptor is a short name: the system takes socket names of 107 bytes.
  const fd = openSync(directory, "r");
  client = connect("/proc/self/fd/" + fd + "/socket");
  client.once("connect", () => closeSync(fd));
  client.on("data", (data) => { left -= data.length; if (left <= 0) answer(1); });
  client.on("error", () => {});
  client.on("close", () => { client = undefined; answer(2); });
}
parentPort.on("message", ({ directory, paths, state }) => {
  const view = new Int32Array(state);
  answer = (value) => {
    answer = () => {};
    Atomics.store(view, 0, value);
    Atomics.notify(view, 0);
  };
  try {
    if (client === undefined) open(directory);
    left = paths.length;
    client.write(paths.map((path) => path + "\\n").join(""));
  } catch {
    answer(2);
  }
});
`;

const ANSWERED = 1;

/** Tells a running collection what this process relies on. */
export class CollectorClient {
  readonly #directory: string;
  #worker: Worker | undefined;

  /** @param directory Where the collector has its socket. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether a collection was told of something, and may still run: to ask it again is cheaper than to find out. */
  get isOpen(): boolean {
    return this.#worker !== undefined;
  }

  /**
   * Tell paths and wait for the answers.
   *
   * @returns Whether all are answered; else the collection ended, or has not opened its socket yet.
   */
  tell(paths: readonly string[], timeoutMs: number): boolean {
    if (this.#worker === undefined) {
      // Not with the flags of this process: --input-type would make it a module, which knows no require.
      this.#worker = new Worker(CLIENT, { eval: true, execArgv: [] });
      this.#worker.unref();
    }
    const state = new SharedArrayBuffer(4);
    this.#worker.postMessage({ directory: this.#directory, paths, state });
    const view = new Int32Array(state);
    Atomics.wait(view, 0, 0, timeoutMs);
    const isAnswered = Atomics.load(view, 0) === ANSWERED;
    // Answers that are still to come would be taken for those to the next question.
    if (!isAnswered) this.close();
    return isAnswered;
  }

  close(): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
  }
}

import { CodedError } from "../../base/index.ts";

/** One connection that answers one question after the other. */
export interface PooledClient {
  close(): void;
}

/** Connections to one server, made when they are needed and used again. */
export class ClientPool<Client extends PooledClient> {
  readonly #connect: () => Promise<Client>;
  readonly #limit: number;
  readonly #idle: Client[] = [];
  readonly #busy = new Set<Client>();
  readonly #waiting: (() => void)[] = [];
  #connecting = 0;
  #isClosed = false;

  /** @param limit Connections at once. */
  constructor(connect: () => Promise<Client>, limit: number) {
    this.#connect = connect;
    this.#limit = limit;
  }

  /** Do something with a connection. One that fails in a way that leaves it in the middle of a message is not used again. */
  async use<T>(run: (client: Client) => Promise<T>): Promise<T> {
    const client = await this.#take();
    try {
      const result = await run(client);
      this.#giveBack(client);
      return result;
    } catch (error) {
      if (error instanceof RemoteRefusal) this.#giveBack(client);
      else this.#discard(client);
      throw error;
    }
  }

  /** Pass on what comes over a connection, piece by piece. It is used again as in {@link use}, and only when all of it was taken. */
  async *stream<T>(run: (client: Client) => AsyncIterable<T>): AsyncGenerator<T> {
    const client = await this.#take();
    let isUsable = false;
    try {
      yield* run(client);
      isUsable = true;
    } catch (error) {
      isUsable = error instanceof RemoteRefusal;
      throw error;
    } finally {
      // Who stops early leaves the rest on the way.
      if (isUsable) this.#giveBack(client);
      else this.#discard(client);
    }
  }

  async #take(): Promise<Client> {
    while (this.#idle.length === 0 && this.#busy.size + this.#connecting >= this.#limit)
      await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    if (this.#isClosed) throw new CodedError("remote-store.closed", "Cannot ask the store: it was closed");
    const idle = this.#idle.pop();
    if (idle !== undefined) {
      this.#busy.add(idle);
      return idle;
    }
    this.#connecting += 1;
    try {
      const client = await this.#connect();
      this.#busy.add(client);
      return client;
    } finally {
      this.#connecting -= 1;
      this.#waiting.shift()?.();
    }
  }

  #giveBack(client: Client): void {
    if (!this.#busy.delete(client)) return;
    if (this.#isClosed) client.close();
    else this.#idle.push(client);
    this.#waiting.shift()?.();
  }

  #discard(client: Client): void {
    this.#busy.delete(client);
    client.close();
    this.#waiting.shift()?.();
  }

  close(): void {
    this.#isClosed = true;
    for (const client of [...this.#idle.splice(0), ...this.#busy]) client.close();
    for (const wake of this.#waiting.splice(0)) wake();
  }
}

/** The server did not do what it was asked, and the connection can be used further. */
export class RemoteRefusal extends CodedError {
  constructor(where: string, message: string) {
    super("remote-store.refused", `Cannot use the store ${where}: it says: ${message}`);
  }
}

import type { CodedError } from "../../base/index.ts";
import { STALL_MS } from "./backend.ts";
import { silentServer, tooLarge } from "./errors.ts";

export interface BoundedTransferOptions {
  readonly url: string;
  /** The most that all answers together may have. */
  readonly limitBytes: number;
  /** Default {@link STALL_MS}. */
  readonly stallMs?: number | undefined;
}

/**
 * The answers of one server, as far as they may go. One that is too long or stands still ends as if it were over, since the library that
 * reads it does not survive an error there; {@link check} then tells the reason, before anything the library makes of half an answer.
 */
export class BoundedTransfer {
  readonly #options: BoundedTransferOptions;
  #received = 0;
  #failure: CodedError | undefined;

  constructor(options: BoundedTransferOptions) {
    this.#options = options;
  }

  /** Ends a question that gets no answer. */
  get stallMs(): number {
    return this.#options.stallMs ?? STALL_MS;
  }

  async *bounded(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const { url, limitBytes } = this.#options;
    const source = pieces[Symbol.asyncIterator]();
    try {
      for (;;) {
        const step = await this.#within(source.next());
        if (step === undefined || step.done === true) return;
        this.#received += step.value.length;
        if (this.#received > limitBytes) return void (this.#failure ??= tooLarge(url, limitBytes));
        yield step.value;
      }
    } finally {
      // A stream that stands still would not answer this either.
      source.return?.()?.catch(() => {});
    }
  }

  /** @throws {CodedError} `git.too-large`, `git.unreachable` */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  #within<T>(step: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#failure ??= silentServer(this.#options.url, this.stallMs);
        resolve(undefined);
      }, this.stallMs);
      step.then(resolve, reject).finally(() => clearTimeout(late));
    });
  }
}
